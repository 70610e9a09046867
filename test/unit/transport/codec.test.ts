import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { MAX_FRAME_BYTES } from '../../../src/protocol/client-frames.ts';
import { type Decoded, decode } from '../../../src/protocol/codec.ts';

const bytes = (data: Uint8Array): ArrayBuffer => data.slice().buffer as ArrayBuffer;
const decodeText = (text: string): Decoded => decode(bytes(new TextEncoder().encode(text)));
const decodeJson = (value: unknown): Decoded => decodeText(JSON.stringify(value));
const bad = { kind: 'refused', code: 'bad_frame' };

describe('client frame', () => {
  it.each([
    { type: 'hello' },
    {
      type: 'hello',
      session_id: '6f1c2a9e-8a4e-4a57-9f0b-0d1f2c3b4a59',
      after: 0,
      epoch: 3,
      client_id: 'tablet',
    },
    { type: 'message', id: 'm', content: 'Good morning' },
    { type: 'message', id: 'm', patient: { age: 61, vitals: { pulse: 80 } } },
    { type: 'message', id: 'm', content: 'a', policy: 'merge', options: { max_tokens: 5, stop: ['x'] } },
    { type: 'cancel' },
    { type: 'message', id: 'm', content: 'a', instructions: 'Answer briefly.', tags: { ward: '3b' } },
    { type: 'regenerate', id: 'm' },
    { type: 'regenerate', id: 'm', turn_id: 't', content: 'And now?', options: { max_tokens: 5 } },
    { type: 'fork', id: 'f' },
    { type: 'fork', id: 'f', after: 't' },
    { type: 'fork', id: 'f', before: 't' },
    { type: 'cancel', turn_id: 't' },
    { type: 'cancel', message_id: 'm' },
    { type: 'extend' },
    { type: 'close' },
    { type: 'ping', nonce: 'n' },
  ])('a client frame is decoded as it was sent: %j', (frame) => {
    expect(decodeJson(frame)).toEqual({ kind: 'frame', frame });
  });

  it.each([
    ['an unknown type', { type: 'shout' }],
    ['no type', { id: 'm', content: 'a' }],
    ['a key that it does not know', { type: 'extend', until: 5 }],
    ['an event of the machine', { type: 'detach', at: 1, instance: 'a' }],
    ['an event of xstate', { type: 'xstate.done.actor.generation', output: {} }],
    ['a message about nothing', { type: 'message', id: 'm' }],
    [
      'more than 16 tags',
      { type: 'hello', tags: Object.fromEntries(Array.from({ length: 17 }, (_, n) => [n, ''])) },
    ],
    ['a tag that is too long', { type: 'message', id: 'm', content: 'a', tags: { ward: 'x'.repeat(513) } }],
    ['empty instructions', { type: 'message', id: 'm', content: 'a', instructions: '' }],
    ['a regenerate without an id', { type: 'regenerate' }],
    ['a fork at two places', { type: 'fork', id: 'f', after: 't', before: 't' }],
    ['an empty message', { type: 'message', id: 'm', content: '' }],
    ['a session id that is no UUID', { type: 'hello', session_id: '1' }],
    ['a negative offset', { type: 'hello', after: -1 }],
    ['a list', [{ type: 'ping' }]],
    ['null', null],
  ])('a client frame with %s is refused', (_, frame) => {
    expect(decodeJson(frame)).toMatchObject(bad);
  });

  it('the refusal of a client frame carries its id if that is valid', () => {
    const detail = 'content: Invalid input: expected string, received number';
    const wrong = { type: 'message', id: 'm-1', content: 7 };
    expect(decodeJson(wrong)).toEqual({ ...bad, detail, messageId: 'm-1' });
    for (const id of [7, {}, '', 'x'.repeat(65), '\ud800'])
      expect(decodeJson({ type: 'message', id, content: 7 })).toEqual({
        ...bad,
        detail: expect.stringMatching(/^id: /),
      });
  });

  it.each([
    ['options.max_tokens', { type: 'message', id: 'm', content: 'a', options: { max_tokens: 'many' } }],
    ['options', { type: 'message', id: 'm', content: 'a', options: { secret: 1 } }],
    ['session_id', { type: 'hello', session_id: 'secret' }],
    ['patient', { type: 'hello', patient: { [`secret${'x'.repeat(128)}`]: 1 } }],
    ['the frame', { type: 'extend', secret: 5 }],
    ['the frame', { type: 'message', id: 'm' }],
    ['type', { type: 'secret' }],
  ])('the refusal of a client frame names %s and repeats nothing that the client sent', (field, frame) => {
    const decoded = decodeJson(frame);
    expect(decoded).toMatchObject({ ...bad, detail: expect.stringContaining(`${field}: `) });
    expect(JSON.stringify(decoded)).not.toContain('secret');
  });

  it('a client frame may be as large as the limit in bytes, and no larger', () => {
    const filled = (size: number) => {
      const frame = { type: 'message', id: 'm', content: '' };
      return { ...frame, content: 'é'.repeat((size - JSON.stringify(frame).length) / 2) };
    };
    const empty = JSON.stringify({ type: 'message', id: 'm', content: '' }).length;
    const largest = MAX_FRAME_BYTES - ((MAX_FRAME_BYTES - empty) % 2);
    expect(decodeJson(filled(largest)).kind).toBe('frame');
    expect(decode(new ArrayBuffer(MAX_FRAME_BYTES + 1))).toEqual({
      kind: 'refused',
      code: 'frame_too_large',
    });
  });

  it('a client frame that is not UTF-8 is refused', () => {
    for (const broken of [[0xff], [0xc3, 0x28], [0xed, 0xa0, 0x80], [0xf8, 0x88, 0x80, 0x80, 0x80]])
      expect(decode(bytes(Uint8Array.from([0x22, ...broken, 0x22])))).toEqual({
        ...bad,
        detail: 'the frame is not JSON text',
      });
  });

  it('a client frame that nests too deep is refused before it is parsed', () => {
    const nested = (depth: number) =>
      `{"type":"message","id":"m","patient":{"a":${'['.repeat(depth)}${']'.repeat(depth)}}}`;
    expect(decodeText(nested(30)).kind).toBe('frame');
    for (const depth of [31, 1_000, 32_000])
      expect(decodeText(nested(depth))).toEqual({ ...bad, detail: 'the frame nests too deep' });
  });

  it('brackets in the text of a client frame do not count as nesting', () => {
    const content = `${'[{('.repeat(500)} "quoted \\ and \\" escaped`;
    expect(decodeJson({ type: 'message', id: 'm', content })).toMatchObject({ frame: { content } });
  });

  it('a client frame that names a prototype is refused, or its key is plain data', () => {
    const decoded = decodeText(
      '{"type":"message","id":"m","content":"a","patient":{"__proto__":{"polluted":1}}}',
    );
    expect(Reflect.get({}, 'polluted')).toBeUndefined();
    const patient = decoded.kind === 'frame' && decoded.frame.type === 'message' ? decoded.frame.patient : {};
    expect(Reflect.get(patient ?? {}, 'polluted')).toBeUndefined();
    for (const key of ['__proto__', 'constructor', 'prototype', 'toString'])
      expect(decodeText(`{"type":"ping","${key}":{"polluted":1}}`)).toEqual({
        ...bad,
        detail: 'the frame: has a field that this frame does not know',
      });
  });

  it('the codec never throws, whatever the bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 2_000 }), (data) => {
        expect(decode(bytes(data))).toMatchObject(bad);
      }),
      { numRuns: 2_000 },
    );
    fc.assert(
      fc.property(fc.json({ maxDepth: 40 }), (text) => {
        expect(decodeText(text)).toMatchObject(bad);
      }),
      { numRuns: 2_000 },
    );
  });
});
