import official from '@asyncapi/specs';
import { Ajv } from 'ajv';
import { describe, expect, test } from 'vitest';
import { asyncapiDocument } from '../../../src/http/core/asyncapi.ts';
import { clientFrameSchema } from '../../../src/protocol/client-frames.ts';
import { durableFrameSchema, transientFrameSchema } from '../../../src/protocol/server-frames.ts';

interface Message {
  readonly name: string;
  readonly tags?: readonly { readonly name: string }[];
  readonly payload: object;
}
interface Document {
  readonly channels: { readonly session: { readonly messages: Readonly<Record<string, unknown>> } };
  readonly operations: Readonly<
    Record<
      'hear' | 'say',
      { readonly security: readonly object[]; readonly messages: readonly { readonly $ref: string }[] }
    >
  >;
  readonly components: {
    readonly messages: Readonly<Record<string, Message>>;
    readonly schemas: Readonly<Record<string, object>>;
    readonly securitySchemes: { readonly bearer: { readonly description: string } };
  };
}

const document = JSON.parse(JSON.stringify(asyncapiDocument())) as Document;
const typeOf = (schema: { readonly shape: { readonly type: { readonly value: string } } }) =>
  schema.shape.type.value;
const namesOf = (operation: 'hear' | 'say') =>
  document.operations[operation].messages.map(({ $ref }) => $ref.split('/').at(-1) ?? '');

/** Ajv resolves references only inside the schema it compiles, so the components go with the payload. */
function validatorOf(message: string) {
  const ajv = new Ajv({ strict: false, validateFormats: false });
  return ajv.compile({ ...document.components.messages[message]?.payload, components: document.components });
}

describe('the AsyncAPI document', () => {
  test('the AsyncAPI document is valid by the official schema of AsyncAPI 3.0', () => {
    const ajv = new Ajv({ strict: false, validateFormats: false, allErrors: true });
    const isValid = ajv.compile(official.schemasWithoutId['3.0.0'] as object);
    expect(isValid(document) ? [] : isValid.errors).toEqual([]);
    expect(isValid({ ...document, operations: { hear: { action: 'listen' } } })).toBe(false);
  });

  test('the AsyncAPI document lists exactly the frames that a client may send', () => {
    expect(namesOf('hear')).toEqual(clientFrameSchema.options.map((one) => `client.${typeOf(one as never)}`));
  });

  test('the AsyncAPI document lists exactly the frames of the server and tags each as durable or transient', () => {
    const durable = durableFrameSchema.options.map(typeOf);
    const transient = transientFrameSchema.options.map(typeOf);
    expect(namesOf('say')).toEqual([...durable, ...transient].map((type) => `server.${type}`));
    for (const key of namesOf('say')) {
      const { name, tags } = document.components.messages[key]!;
      expect(tags).toEqual([{ name: durable.includes(name as never) ? 'durable' : 'transient' }]);
    }
  });

  test('the AsyncAPI document names the bearer of a socket, and where a client shows it', () => {
    const { bearer } = document.components.securitySchemes;
    expect(bearer).toMatchObject({ type: 'http', scheme: 'bearer' });
    for (const place of ['Authorization', 'hello.token', 'rehydra.bearer.'])
      expect(bearer.description).toContain(place);
    for (const { security } of Object.values(document.operations))
      expect(security).toEqual([{ $ref: '#/components/securitySchemes/bearer' }]);
  });

  test('every reference in the AsyncAPI document resolves', () => {
    const refs = [...JSON.stringify(document).matchAll(/"\$ref":"#\/([^"]+)"/g)].map(([, path = '']) => path);
    for (const path of refs) {
      let at: unknown = document;
      for (const part of path.split('/')) at = (at as Readonly<Record<string, unknown>>)[part];
      expect(at, path).toBeTypeOf('object');
    }
    expect(Object.keys(document.channels.session.messages)).toEqual([...namesOf('hear'), ...namesOf('say')]);
  });

  test.each([
    ['client.hello', { type: 'hello', after: 0, patient: { age: 61, notes: ['a', { b: null }] } }, true],
    ['client.hello', { type: 'hello', after: -1 }, false],
    ['client.message', { type: 'message', id: 'm', content: 'hi', colour: 'red' }, false],
    ['server.delta', { type: 'delta', offset: 1, epoch: 1, turn_id: 't', text: 'x' }, true],
    ['server.delta', { type: 'delta', offset: 0, epoch: 1, turn_id: 't', text: 'x' }, false],
    ['server.presence', { type: 'presence', offset: 4, epoch: 1, user_id: 'u', event: 'joined' }, true],
  ])('the AsyncAPI schema of %s, given %j, answers %s', (key, frame, isValid) => {
    expect(validatorOf(key)(frame)).toBe(isValid);
  });
});
