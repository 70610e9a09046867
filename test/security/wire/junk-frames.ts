/** Arbitraries of frames that no Rehydra client sends. Each is wrong by construction, not because our codec says so. */
import { randomUUID } from 'node:crypto';
import fc from 'fast-check';

/** A frame as it is sent: text, or bytes in a binary frame. */
export type Junk = string | Buffer;

type Frame = Readonly<Record<string, unknown>>;

const valid: readonly Frame[] = [
  { type: 'hello' },
  { type: 'message', id: 'm', content: 'hello' },
  { type: 'regenerate', id: 'r' },
  { type: 'fork', id: 'f' },
  { type: 'cancel' },
  { type: 'extend' },
  { type: 'close' },
  { type: 'ping' },
];

/** Events of the machine and of XState, which a client must never be able to raise. */
const FORGED = [
  'attach',
  'detach',
  'recover',
  'xstate.init',
  'xstate.stop',
  'xstate.done.actor.generation',
  'xstate.error.actor.generation',
  'xstate.done.state.session',
  'xstate.after.idleEnd.session.connected.expiring',
  'xstate.after.absoluteEnd.session',
  'xstate.snapshot.generation',
  'xstate.route',
  'xstate.*',
  '*',
  '',
  'toString',
  '__proto__',
];

const forged = fc.record({
  type: fc.constantFrom(...FORGED),
  at: fc.nat(),
  instance: fc.constant('evil'),
  output: fc.constant({ finishReason: 'stop', usage: {}, replica: 'evil' }),
  error: fc.constant({ code: 'internal', retryable: true, replica: null }),
  reason: fc.constant('admin'),
});

const wrong: readonly Frame[] = [
  { type: 'hello', session_id: 'not-a-uuid' },
  { type: 'hello', session_id: 7 },
  { type: 'hello', after: -1 },
  { type: 'hello', after: 1.5 },
  { type: 'hello', after: '3' },
  { type: 'hello', client_id: '' },
  { type: 'hello', token: 'x'.repeat(16_385) },
  { type: 'message' },
  { type: 'message', id: 'm' },
  { type: 'message', id: 'x'.repeat(65), content: 'a' },
  { type: 'message', id: '', content: 'a' },
  { type: 'message', id: 5, content: 'a' },
  { type: 'message', id: 'm', content: '' },
  { type: 'message', id: 'm', content: ['a'] },
  { type: 'message', id: 'm', content: null },
  { type: 'message', id: 'm', content: 'a', policy: 'overwrite' },
  { type: 'message', id: 'm', content: 'a', patient: [] },
  { type: 'message', id: 'm', content: 'a', options: { temperature: 3 } },
  { type: 'message', id: 'm', content: 'a', options: { stop: ['a', 'b', 'c', 'd', 'e'] } },
  { type: 'message', id: 'm', content: 'a', options: { n: 2 } },
  { type: 'cancel', turn_id: 4 },
  { type: 'cancel', turn_id: 'x'.repeat(65) },
  { type: 'ping', nonce: {} },
  { type: ['ping'] },
  { type: { toString: 'ping' } },
  { TYPE: 'ping' },
];

const NUMBERS = [
  '1e999',
  '-1e999',
  '1e308',
  '0.5',
  '-1',
  '9007199254740993',
  'NaN',
  'Infinity',
  '0x10',
  '1_000',
  '-0.0',
];
const hugeNumber = fc
  .constantFrom(...NUMBERS)
  .map((number) => `{"type":"message","id":"m","content":"a","options":{"max_tokens":${number}}}`);

const unknownKey = fc
  .tuple(fc.constantFrom(...valid), fc.string({ minLength: 1, maxLength: 8 }), fc.jsonValue())
  .map(
    ([frame, key, value]) =>
      `${JSON.stringify(frame).slice(0, -1)},${JSON.stringify(`x-${key}`)}:${JSON.stringify(value)}}`,
  );

/** Written as text: an object literal would lose such a key before the client sends it. */
const prototypes = fc
  .tuple(fc.constantFrom(...valid), fc.constantFrom('__proto__', 'constructor', 'prototype'))
  .map(([frame, key]) => `${JSON.stringify(frame).slice(0, -1)},"${key}":{"polluted":true,"type":"close"}}`);

const deep = fc
  .tuple(fc.integer({ min: 33, max: 9_000 }), fc.constantFrom('[]', '{}'), fc.boolean())
  .map(([depth, kind, inPatient]) => {
    const nested =
      kind === '[]' ? '['.repeat(depth) + ']'.repeat(depth) : `${'{"a":'.repeat(depth)}1${'}'.repeat(depth)}`;
    return inPatient ? `{"type":"message","id":"m","patient":{"a":${nested}}}` : nested;
  });

/** A frame that is cut anywhere is not JSON. */
const truncated = fc
  .tuple(fc.constantFrom(...valid), fc.nat())
  .map(([frame, cut]) => JSON.stringify(frame).slice(0, cut % (JSON.stringify(frame).length - 1)));

const surrogates = fc
  .constantFrom('\\ud800', '\\udfff', '\\udc00\\ud800')
  .map((half) => `{"type":"${half}","id":"${half}","${half}":"${half}"}`);

const arrays = fc.array(fc.constantFrom(...valid), { maxLength: 4 }).map((frames) => JSON.stringify(frames));
const scalars = fc.constantFrom(
  '',
  ' ',
  'null',
  'true',
  '0',
  '"ping"',
  '{}',
  '[]',
  '{"type":null}',
  '\u0000',
  'ping',
);

const binary = fc.oneof(
  fc.uint8Array({ maxLength: 512 }).map((bytes) => Buffer.from(bytes)),
  // Frames are text: the same bytes in a binary frame are junk.
  fc.constantFrom(...valid).map((frame) => Buffer.from(JSON.stringify(frame))),
);

/** Each of these is a `bad_frame`, on any connection and in any state. */
export const junk: fc.Arbitrary<Junk> = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 300 }),
  fc.jsonValue({ maxDepth: 6 }).map((value) => JSON.stringify(value)),
  forged.map((frame) => JSON.stringify(frame)),
  fc.constantFrom(...wrong).map((frame) => JSON.stringify(frame)),
  hugeNumber,
  unknownKey,
  prototypes,
  deep,
  truncated,
  surrogates,
  arrays,
  scalars,
  binary,
);

/** Larger than the server accepts, smaller than the WebSocket library's limit, and valid otherwise. */
export const oversize: fc.Arbitrary<Junk> = fc
  .tuple(fc.integer({ min: 64 * 1024 + 1, max: 126 * 1024 }), fc.boolean())
  .map(([bytes, isBinary]) => {
    const frame = { type: 'message', id: randomUUID(), content: '' };
    const text = JSON.stringify({ ...frame, content: 'x'.repeat(bytes - JSON.stringify(frame).length) });
    return isBinary ? Buffer.from(text) : text;
  });
