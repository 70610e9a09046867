/** The AsyncAPI 3 document of the WebSocket, from the schemas of its frames and the table of errors. */
import type { z } from 'zod';
import { errors } from '../../errors.ts';
import { clientFrameSchema } from '../../protocol/client-frames.ts';
import { durableFrameSchema, transientFrameSchema } from '../../protocol/server-frames.ts';
import { version } from '../../startup/version.ts';
import { type Json, openSchemaBook, type SchemaBook } from './json-schema.ts';

type Side = 'client' | 'server';

interface Message {
  readonly key: string;
  readonly body: Json;
}

export function asyncapiDocument(): Json {
  // The dialect that AsyncAPI's own schema format builds on.
  const book = openSchemaBook('draft-7');
  const heard = messagesOf(clientFrameSchema.options, 'client', [], book);
  const said = [
    ...messagesOf(durableFrameSchema.options, 'server', [{ name: 'durable' }], book),
    ...messagesOf(transientFrameSchema.options, 'server', [{ name: 'transient' }], book),
  ];
  const all = [...heard, ...said];
  return {
    asyncapi: '3.0.0',
    info: {
      title: 'Rehydra',
      version,
      description:
        'A session over a WebSocket: JSON text frames, one object each. Durable frames carry an `offset` (1, 2, 3 … per session) and are replayed to a client that says which one it saw last.',
      tags: [{ name: 'durable', description: 'numbered and replayed' }, { name: 'transient' }],
    },
    defaultContentType: 'application/json',
    channels: {
      session: {
        address: '/v1/session',
        title: 'Session',
        description: closingWords(),
        messages: Object.fromEntries(all.map(({ key }) => [key, { $ref: `#/components/messages/${key}` }])),
        bindings: { ws: { method: 'GET', bindingVersion: '0.1.0' } },
      },
    },
    operations: {
      hear: operation('receive', 'What a client may send; `hello` comes first', heard),
      say: operation('send', 'What the server says', said),
    },
    components: {
      messages: Object.fromEntries(all.map(({ key, body }) => [key, body])),
      schemas: book.named,
    },
    'x-errors': errors,
  };
}

function messagesOf(
  frames: readonly z.ZodType[],
  side: Side,
  tags: readonly Json[],
  book: SchemaBook,
): readonly Message[] {
  return frames.map((schema) => {
    const payload = book.of(schema, side === 'client' ? 'input' : 'output', side) as {
      readonly properties: { readonly type: { readonly const: string } };
    };
    const name = payload.properties.type.const;
    return { key: `${side}.${name}`, body: { name, ...(tags.length === 0 ? {} : { tags }), payload } };
  });
}

function operation(action: 'receive' | 'send', summary: string, messages: readonly Message[]): Json {
  return {
    action,
    summary,
    channel: { $ref: '#/channels/session' },
    messages: messages.map(({ key }) => ({ $ref: `#/channels/session/messages/${key}` })),
  };
}

function closingWords(): string {
  const closing = Object.entries(errors).flatMap(([code, { close }]) =>
    close === null ? [] : [`${close} \`${code}\``],
  );
  return `Sub-protocol \`rehydra.v1\`. Close codes: 1000 after \`close\`, ${closing.join(', ')}.`;
}
