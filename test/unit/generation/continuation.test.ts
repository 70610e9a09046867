/** Interrupted answers, at servers that continue them and at servers that do not. */
import { afterEach, describe, expect, test } from 'vitest';
import { createRepeatGuard } from '../../../src/generation/answer/repeat-guard.ts';
import type { GenerationChunk, GenerationPrefix } from '../../../src/generation/port.ts';
import { createVllmGenerator } from '../../../src/generation/vllm.ts';
import { type SimulatorOptions, startSimulator } from '../../../src/simulator/simulator.ts';
import { hear, storedAfter, withoutIds } from '../../conformance/vllm-listening.ts';
import { transport } from '../../support/transport.ts';
import { askUpstream, beginStream, deltaOf, eventOf, startScriptedUpstream } from './scripted-upstream.ts';

const open: { close(): Promise<void> }[] = [];
afterEach(async () => {
  for (const one of open.splice(0).reverse()) await one.close();
});

async function against(options: SimulatorOptions) {
  const simulator = await startSimulator({ tokensPerSecond: 0, tokens: 48, ...options });
  const generator = createVllmGenerator({
    baseUrls: [simulator.url],
    transport,
    timeouts: { firstTokenMs: 5_000, interTokenMs: 5_000, totalMs: 20_000 },
    defaultMaxTokens: 200,
  });
  open.push(simulator, generator);
  return { simulator, generator, requests: () => simulator.stats().requests };
}

const textOf = (chunks: readonly GenerationChunk[]) => chunks.map(({ text }) => text).join('');
const RESTART = { kind: 'restart' };

describe('a continuation by text', () => {
  test.each([
    ['begins the answer again', { continuation: 'ignore' }],
    ['refuses it', { continuation: 'refuse' }],
    ['puts all of it into its reasoning', { continuation: 'reason' }],
  ] as const)('hands on no word where the server %s', async (_what, options) => {
    const { generator } = await against(options);
    const whole = await hear(generator);
    expect(whole.chunks.length).toBeGreaterThan(20);
    for (const count of [1, 2, 5, 20]) {
      const prefix = withoutIds(storedAfter(whole.chunks, count));
      const again = await hear(generator, { prefix });
      expect(again.result).toMatchObject(RESTART);
      expect(again.chunks).toEqual([]);
    }
    expect((await hear(generator)).text).toBe(whole.text);
  });

  test('a server that is not known to continue text gets no continuation by text', async () => {
    const { generator, requests } = await against({ owner: 'unknown' });
    const whole = await hear(generator);
    const before = requests();
    const again = await hear(generator, { prefix: withoutIds(storedAfter(whole.chunks, 9)) });
    expect(again.result).toMatchObject(RESTART);
    expect(requests()).toBe(before);
  });

  test('a replica that began an answer again gets no second continuation by text', async () => {
    const { generator, requests } = await against({ continuation: 'ignore' });
    const whole = await hear(generator);
    const prefix = withoutIds(storedAfter(whole.chunks, 9));
    await hear(generator, { prefix });
    const before = requests();
    expect((await hear(generator, { prefix })).result).toMatchObject(RESTART);
    expect(requests()).toBe(before);
  });

  test('no request stays open at a server that begins the answer again', async () => {
    const { generator, simulator } = await against({ continuation: 'ignore', tokensPerSecond: 200 });
    const whole = await hear(generator);
    await hear(generator, { prefix: withoutIds(storedAfter(whole.chunks, 20)) });
    await expect.poll(() => simulator.stats().running).toBe(0);
    expect(simulator.stats().aborted).toBe(1);
  });
});

describe('a continuation by ids', () => {
  test('a continuation by ids is exact at a server that cannot continue text', async () => {
    const { generator } = await against({ continuation: 'ignore' });
    const whole = await hear(generator);
    for (const count of [1, 7, 20]) {
      const prefix = storedAfter(whole.chunks, count);
      expect(prefix.text + (await hear(generator, { prefix })).text).toBe(whole.text);
    }
  });

  test('a continuation by ids after reasoning continues the answer without a second reasoning', async () => {
    const fault = 'reasoning=new';
    const { generator, simulator } = await against({ continuation: 'reason' });
    const whole = await hear(generator, { fault });
    const thoughts = whole.chunks.filter(({ text }) => text === '').length;
    expect(thoughts).toBeGreaterThan(2);
    for (const answered of [1, 4, 20]) {
      const prefix = storedAfter(whole.chunks, thoughts + answered);
      expect(prefix.tokenIds).toHaveLength(thoughts + answered);
      const rest = await hear(generator, { fault, prefix });
      expect(prefix.text + rest.text).toBe(whole.text);
      expect(rest.chunks.every(({ reasoning }) => reasoning === undefined)).toBe(true);
      expect(simulator.stats().recent.at(-1)).toMatchObject({ api: 'text', isContinuation: true });
    }
  });
});

describe('thoughts alone', () => {
  test.each([
    ['with ids', [1, 2, 3]],
    ['without ids', null],
  ])('thoughts %s without an answer start over', async (_what, tokenIds) => {
    const { generator, requests } = await against({});
    const prefix: GenerationPrefix = { text: '', tokenIds, promptTokenIds: tokenIds };
    expect((await hear(generator, { prefix })).result).toMatchObject(RESTART);
    expect(requests()).toBe(0);
  });
});

test('a continuation that the server refuses after its first text fails and does not start over', async () => {
  const server = await startScriptedUpstream((res) => {
    beginStream(res).write(deltaOf(' More'));
    res.end(eventOf({ error: { message: 'bad', code: 400 } }));
  });
  const prefix = { text: 'Rest', tokenIds: [1, 2], promptTokenIds: [9, 8] };
  const { result, text } = await askUpstream(server.url, {}, prefix);
  server.close();
  expect(text).toBe(' More');
  expect(result).toMatchObject({ kind: 'failed', code: 'upstream_rejected' });
});

describe('the first words of a continuation', () => {
  const STORED = 'You said: chest pain. I would ask when it began.';

  function guarded(stored: string, texts: readonly string[]) {
    const handedOn: GenerationChunk[] = [];
    const guard = createRepeatGuard(stored, (chunk) => handedOn.push(chunk));
    const isRepeat = texts.some((text) => !guard.accept({ text }));
    return { handedOn, guard, isRepeat };
  }

  test('the repeat guard hands text on as soon as it differs from the answer’s beginning', () => {
    const { handedOn, isRepeat } = guarded(STORED, ['You', ' should', ' rest']);
    expect(isRepeat).toBe(false);
    expect(textOf(handedOn)).toBe('You should rest');
    expect(guarded(STORED, ['You']).handedOn).toEqual([]);
  });

  test('the repeat guard holds a possible repeat back, and drops a certain one', () => {
    const repeated = [' You said:', ' chest', ' pain. I would', ' ask', ' when'];
    expect(guarded(STORED, repeated)).toMatchObject({ isRepeat: true, handedOn: [] });
    expect(guarded('Rest.', ['Re', 'st', '. Drink'])).toMatchObject({ isRepeat: true, handedOn: [] });
  });

  test('the repeat guard hands a repeat on if the stored answer repeats itself already', () => {
    const circle = `${STORED}\n\n${STORED}`;
    const { handedOn, isRepeat } = guarded(circle, ['\n\n', STORED]);
    expect(isRepeat).toBe(false);
    expect(textOf(handedOn)).toBe(`\n\n${STORED}`);
  });

  test('a repeat counts as the server’s habit only if it is too long for chance', () => {
    expect(guarded(STORED, [STORED]).guard.isHabit).toBe(true);
    expect(guarded('Rest.', ['Rest.']).guard.isHabit).toBe(false);
    expect(guarded(STORED, ['You should']).guard.isHabit).toBe(false);
  });

  test('the repeat guard hands held text on if the answer ends before the repeat is certain', () => {
    const { handedOn, guard } = guarded(STORED, ['You']);
    guard.finish();
    expect(textOf(handedOn)).toBe('You');
  });
});
