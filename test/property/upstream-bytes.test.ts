/** The answer does not depend on how a server frames its events and the network cuts them. */
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { GenerationRequest, Generator } from '../../src/generation/port.ts';
import { createVllmGenerator } from '../../src/generation/vllm.ts';
import { transport } from '../support/transport.ts';
import { type ScriptedUpstream, startScriptedUpstream } from '../unit/generation/scripted-upstream.ts';

/** The body of the next answer, in the pieces that the server writes. */
let pieces: readonly Uint8Array[] = [];
let staysOpen = false;
let upstream: ScriptedUpstream;
let generator: Generator;

beforeAll(async () => {
  upstream = await startScriptedUpstream((res, path) => {
    if (path.endsWith('/models')) return void res.writeHead(404).end();
    res.writeHead(200, { 'content-type': 'text/event-stream' });
    // One write is one HTTP chunk, and the client's parser keeps chunks apart.
    for (const piece of pieces) res.write(piece);
    if (!staysOpen) res.end();
  });
  const timeouts = { firstTokenMs: 30_000, interTokenMs: 30_000, totalMs: 30_000 };
  generator = createVllmGenerator({
    baseUrls: [upstream.url],
    transport,
    model: 'm',
    timeouts,
    defaultMaxTokens: 10,
  });
});
afterAll(async () => {
  await generator.close();
  upstream.close();
});

async function hear() {
  const request: GenerationRequest = {
    sessionId: 's',
    turnId: 't',
    attempt: 1,
    messages: [],
    prefix: null,
    options: {},
  };
  let text = '';
  const listen = (chunk: { readonly text: string }): void => {
    text += chunk.text;
  };
  const result = await generator.generate(request, listen, new AbortController().signal);
  if (result.kind === 'completed')
    return { text, outcome: result.finishReason as string, usage: result.usage };
  return { text, outcome: result.kind === 'failed' ? result.code : result.kind, usage: null };
}

const USAGE = { prompt_tokens: 7, completion_tokens: 70 };
const OUTCOMES = {
  stop: 'stop',
  length: 'length',
  content_filter: 'content_filtered',
  error: 'upstream_error',
  none: 'upstream_truncated',
} as const;
type Finish = keyof typeof OUTCOMES;

const word = fc.oneof(
  fc.string({ minLength: 1, maxLength: 6, unit: 'binary' }),
  fc.constantFrom('é', '🩺', ' ', '\n', '\r\n', 'data: ', '[DONE]', '\u2028', '\uFEFF', '"'),
);

const part = (content: string, more: object = {}) => ({
  choices: [{ index: 0, delta: { content }, ...more }],
});

/** The values that end an answer, in any order and in one chunk or several. */
const tail = (finish: Finish) =>
  fc
    .record({
      late: fc.subarray([
        part('', { finish_reason: null }),
        part('', { finish_reason: '' }),
        { choices: [{ index: 0, delta: {}, finish_reason: '' }] },
        { choices: [{ index: 1, delta: { content: 'another answer' }, finish_reason: 'length' }] },
        { type: 'ping' },
      ]),
      usageRides: fc.boolean(),
    })
    .chain(({ late, usageRides }) => {
      const last = finish === 'none' ? [] : [part('', { finish_reason: finish })];
      const usage = usageRides && last.length > 0 ? [] : [{ choices: [], usage: USAGE }];
      const withUsage = usageRides ? last.map((value) => ({ ...value, usage: USAGE })) : last;
      const all: readonly object[] = [...withUsage, ...usage, ...late];
      return fc.shuffledSubarray([...all], { minLength: all.length, maxLength: all.length });
    });

const framing = fc.record({
  lineEnd: fc.constantFrom('\n', '\r\n', '\r'),
  space: fc.constantFrom('', ' '),
  lines: fc.boolean(),
  before: fc.subarray([
    ': keep-alive',
    ':',
    'id: 1',
    'retry: 10',
    'event: message',
    'event',
    'unknown: field',
  ]),
});
type Framing = typeof framing extends fc.Arbitrary<infer T> ? T : never;

function eventOf(value: object, { lineEnd, space, lines, before }: Framing): string {
  const data = lines ? JSON.stringify(value, null, 1).split('\n') : [JSON.stringify(value)];
  return [...before, ...data.map((line) => `data:${space}${line}`), '', ''].join(lineEnd);
}

const answers = fc
  .record({
    words: fc.array(word, { minLength: 1, maxLength: 6 }),
    finish: fc.constantFrom(...keys(OUTCOMES)),
  })
  .chain(({ words, finish }) =>
    fc.record({ words: fc.constant(words), finish: fc.constant(finish), tail: tail(finish) }),
  );

const wires = fc.record({
  framings: fc.array(framing, { minLength: 1, maxLength: 4 }),
  mark: fc.boolean(),
  end: fc.oneof(
    { weight: 60, arbitrary: fc.constantFrom('[DONE]', 'closed', 'cut-line', 'cut-blank') },
    { weight: 1, arbitrary: fc.constant('open') },
  ),
  cuts: fc.array(fc.nat(), { maxLength: 12 }),
  everyByte: fc.oneof(
    { weight: 15, arbitrary: fc.constant(false) },
    { weight: 1, arbitrary: fc.constant(true) },
  ),
});

function keys<K extends string>(of: Readonly<Record<K, unknown>>): readonly K[] {
  return Object.keys(of) as K[];
}

function cut(bytes: Uint8Array, cuts: readonly number[], everyByte: boolean): readonly Uint8Array[] {
  const places = everyByte
    ? Array.from({ length: bytes.length }, (_, at) => at)
    : cuts.map((place) => place % bytes.length).sort((a, b) => a - b);
  return [0, ...places]
    .map((from, index) => bytes.subarray(from, places[index] ?? bytes.length))
    .filter((piece) => piece.length > 0);
}

test('outcome, text and usage of an answer depend neither on its framing, nor on its cuts, nor on the order of its last events', async () => {
  const property = fc.asyncProperty(answers, wires, async ({ words, finish, tail }, wire) => {
    const values: readonly object[] = [...words.map((content) => part(content)), ...tail];
    const framed = values.map((value, n) => eventOf(value, wire.framings[n % wire.framings.length]!));
    const done = wire.end === '[DONE]' || wire.end === 'open' ? 'data: [DONE]\n\n' : '';
    let body = (wire.mark ? '\uFEFF' : '') + framed.join('') + done;
    if (wire.end === 'cut-line') body = body.replace(/[\r\n]+$/, '');
    if (wire.end === 'cut-blank') body = body.replace(/[\r\n]+$/, '\n');
    pieces = cut(Buffer.from(body), wire.cuts, wire.everyByte);
    staysOpen = wire.end === 'open';

    const heard = await hear();
    const text = words.join('');
    const isEmpty = text.trim() === '' && (finish === 'stop' || finish === 'length');
    const outcome = isEmpty ? 'upstream_empty' : OUTCOMES[finish];
    const completed = outcome === 'stop' || outcome === 'length';
    expect(heard).toEqual({ text, outcome, usage: completed ? USAGE : null });
  });
  await fc.assert(property, { numRuns: 250 });
});
