/** Builds the AsyncAPI 3 document of the WebSocket from the schemas of its frames and the table of errors. */
import type { z } from 'zod';
import { errors } from '../../errors.ts';
import { clientFrameSchema } from '../../protocol/client-frames.ts';
import { durableFrameSchema, transientFrameSchema } from '../../protocol/server-frames.ts';
import { version } from '../../startup/version.ts';
import { type Json, SchemaBook } from './schema-book.ts';
import { asyncapiSchemes } from './security-schemes.ts';

export function asyncapiDocument(): Json {
  // AsyncAPI's own schema format builds on draft 7.
  const book = new SchemaBook('draft-7');
  const messagesOf = (side: 'client' | 'server', frames: readonly z.ZodType[], tag?: string) =>
    frames.map((schema) => {
      const payload = book.of(schema, side === 'client' ? 'input' : 'output') as {
        readonly properties: { readonly type: { readonly const: string } };
      };
      const name = payload.properties.type.const;
      return [`${side}.${name}`, { name, ...(tag && { tags: [{ name: tag }] }), payload }] as const;
    });
  const received = messagesOf('client', clientFrameSchema.options);
  const sent = [
    ...messagesOf('server', durableFrameSchema.options, 'durable'),
    ...messagesOf('server', transientFrameSchema.options, 'transient'),
  ];
  const all = [...received, ...sent];
  return {
    asyncapi: '3.0.0',
    info: {
      title: 'Rehydra',
      version,
      description:
        'A session over a WebSocket: JSON text frames, one object each. Durable frames carry an `offset` (1, 2, 3 … per session). A client that reconnects with the last offset it saw gets the later ones again.',
      tags: [{ name: 'durable', description: 'numbered and replayed' }, { name: 'transient' }],
    },
    defaultContentType: 'application/json',
    channels: {
      session: {
        address: '/v1/session',
        title: 'Session',
        description: closeCodes(),
        messages: Object.fromEntries(all.map(([key]) => [key, { $ref: `#/components/messages/${key}` }])),
        bindings: { ws: { method: 'GET', bindingVersion: '0.1.0' } },
      },
    },
    operations: {
      hear: operation('receive', 'Frames that a client may send; `hello` comes first', received),
      say: operation('send', 'Frames that the server sends', sent),
    },
    components: { messages: Object.fromEntries(all), schemas: book.named, securitySchemes: asyncapiSchemes },
    'x-errors': errors,
  };
}

type Messages = readonly (readonly [key: string, message: Json])[];

function operation(action: 'receive' | 'send', summary: string, messages: Messages): Json {
  return {
    action,
    summary,
    channel: { $ref: '#/channels/session' },
    security: [{ $ref: '#/components/securitySchemes/bearer' }],
    messages: messages.map(([key]) => ({ $ref: `#/channels/session/messages/${key}` })),
  };
}

function closeCodes(): string {
  const codes = Object.entries(errors).flatMap(([code, { close }]) =>
    close === null ? [] : [`${close} \`${code}\``],
  );
  return `Sub-protocol \`rehydra.v1\`. Close codes: 1000 after \`close\`, ${codes.join(', ')}.`;
}
