import { setImmediate } from 'node:timers/promises';
import { expect, it } from 'vitest';
import type { ErrorCode } from '../../../src/errors.ts';
import type { HttpAnswer, StreamSink } from '../../../src/http/core/answer.ts';
import {
  LONG_MAX,
  LONG_PER_CLIENT_MAX,
  LongReads,
  PIECE_LENGTH,
  READING_MAX,
  WAITING_MAX,
} from '../../../src/http/core/long-reads.ts';

const HEADERS = { 'content-type': 'text/plain' };
const LINE = `${'x'.repeat(999)}\n`;
const lines = (count: number) => Array.from({ length: count }, () => LINE);
const available = () => null;

/** A client at this address. */
function reader(address = '192.0.2.1', method = 'GET') {
  const gone: (() => void)[] = [];
  const failures: unknown[] = [];
  return {
    address,
    method,
    requestId: 'r',
    failures,
    onGone: (task: () => void) => void gone.push(task),
    failed: (error: unknown) => void failures.push(error),
    leave() {
      for (const task of gone) task();
    },
  };
}

/** Takes a body as a socket does: `stopAfter` writes it has no room for more. */
function collector(stopAfter = Number.POSITIVE_INFINITY) {
  const pieces: string[] = [];
  let end: 'ended' | 'failed' | null = null;
  let resume = () => {};
  const sink: StreamSink = {
    write: (piece) => pieces.push(piece) > 0,
    drained: () =>
      pieces.length < stopAfter
        ? setImmediate(true)
        : new Promise((resolve) => {
            resume = () => resolve(true);
          }),
    end: () => {
      end = 'ended';
    },
    fail: () => {
      end = 'failed';
    },
  };
  return { sink, pieces, resume: () => resume(), ended: () => end };
}

function stream(answer: HttpAnswer, sink: StreamSink): void {
  if (typeof answer.body !== 'function') throw new Error('the body is in one piece');
  answer.body(sink);
}

const settle = async () => {
  for (let turn = 0; turn < 400; turn += 1) await setImmediate();
};

const refusal = (task: Promise<unknown>) =>
  task.then(
    () => null,
    (error: { readonly code: ErrorCode }) => error.code,
  );

it('a short body is an answer in one piece', async () => {
  const reads = new LongReads(available);
  const answer = await reads.answer(reader(), HEADERS, lines(60));
  expect(answer).toEqual({ status: 200, headers: HEADERS, body: LINE.repeat(60) });
  expect(await reads.answer(reader(), HEADERS, [])).toMatchObject({ body: '' });
});

it('a long body arrives whole, in pieces of about 64 KiB, and the event loop does other work after each', async () => {
  const reads = new LongReads(available);
  const { sink, pieces, ended } = collector();
  stream(await reads.answer(reader(), HEADERS, lines(9_000)), sink);
  let turns = 0;
  while (ended() === null) {
    await setImmediate();
    turns += 1;
  }
  expect(ended()).toBe('ended');
  expect(pieces.join('')).toBe(LINE.repeat(9_000));
  expect(pieces.length).toBeGreaterThan(130);
  for (const piece of pieces) expect(piece.length).toBeLessThan(PIECE_LENGTH + LINE.length);
  expect(turns).toBeGreaterThanOrEqual(pieces.length - 1);
});

it('the bodies of several clients are sent by turns, not one after the other', async () => {
  const reads = new LongReads(available);
  const order: number[] = [];
  const clients = await Promise.all(
    Array.from({ length: 4 }, async (_, client) => {
      const { sink, ended } = collector();
      const noting: StreamSink = { ...sink, write: (piece) => order.push(client) > 0 && sink.write(piece) };
      stream(await reads.answer(reader(`192.0.2.${client}`), HEADERS, lines(2_000)), noting);
      return ended;
    }),
  );
  await settle();
  expect(clients.map((ended) => ended())).toEqual(Array(4).fill('ended'));
  const longestRun = order
    .join('')
    .match(/(\d)\1*/g)
    ?.reduce((most, run) => Math.max(most, run.length), 0);
  expect(longestRun).toBeLessThanOrEqual(2);
});

it('no piece is made for a client that has no room for it', async () => {
  const reads = new LongReads(available);
  let made = 0;
  const counted = function* () {
    for (const line of lines(9_000)) {
      made += line.length;
      yield line;
    }
  };
  const { sink, pieces, resume, ended } = collector(5);
  stream(await reads.answer(reader(), HEADERS, counted()), sink);
  await settle();
  expect(pieces).toHaveLength(5);
  expect(made).toBeLessThan(7 * PIECE_LENGTH);
  resume();
  await settle();
  expect(pieces).toHaveLength(6);
  expect(ended()).toBeNull();
});

it('a client that has gone gets no further piece and leaves room for another body', async () => {
  const reads = new LongReads(available);
  const client = reader();
  const full = Array.from({ length: LONG_PER_CLIENT_MAX }, () => reads.answer(client, HEADERS, lines(200)));
  const [first] = await Promise.all(full);
  expect(await refusal(reads.answer(client, HEADERS, lines(200)))).toBe('overloaded');
  const { sink, pieces } = collector();
  if (first !== undefined) stream(first, { ...sink, drained: () => Promise.resolve(false) });
  await settle();
  expect(pieces).toHaveLength(1);
  expect(await refusal(reads.answer(client, HEADERS, lines(200)))).toBeNull();
  client.leave();
  const again = Array.from({ length: LONG_PER_CLIENT_MAX }, () => reads.answer(client, HEADERS, lines(200)));
  await Promise.all(again);
});

it('one address has at most half of the long bodies, and short ones are never refused', async () => {
  const reads = new LongReads(available);
  for (let n = 0; n < LONG_PER_CLIENT_MAX; n += 1)
    await reads.answer(reader('2001:db8:1:2::1'), HEADERS, lines(200));
  expect(await refusal(reads.answer(reader('2001:db8:1:2::2'), HEADERS, lines(200)))).toBe('overloaded');
  for (let n = LONG_PER_CLIENT_MAX; n < LONG_MAX; n += 1)
    await reads.answer(reader(`192.0.2.${n}`), HEADERS, lines(200));
  expect(await refusal(reads.answer(reader('192.0.2.99'), HEADERS, lines(200)))).toBe('overloaded');
  expect(await refusal(reads.answer(reader('192.0.2.99'), HEADERS, lines(10)))).toBeNull();
});

it('a HEAD request for a long body takes no room', async () => {
  const reads = new LongReads(available);
  for (let n = 0; n <= LONG_MAX; n += 1)
    expect((await reads.answer(reader('192.0.2.1', 'HEAD'), HEADERS, lines(200))).status).toBe(200);
});

it('a body whose source fails breaks off, so that no client takes half of it for the whole', async () => {
  const reads = new LongReads(available);
  const client = reader();
  const { sink, ended } = collector();
  const failing = async function* () {
    yield* lines(300);
    throw new Error('the archive has gone');
  };
  stream(await reads.answer(client, HEADERS, failing()), sink);
  await settle();
  expect(ended()).toBe('failed');
  expect(client.failures).toHaveLength(1);
});

it('a few reads run at once, the others in the order in which they came, and too many are refused', async () => {
  const reads = new LongReads(available);
  const begun: number[] = [];
  const finish: (() => void)[] = [];
  const read = (n: number) =>
    reads.read(() => {
      begun.push(n);
      return new Promise<void>((resolve) => finish.push(resolve));
    });
  const all = Array.from({ length: READING_MAX + WAITING_MAX }, (_, n) => read(n));
  await settle();
  expect(begun).toEqual(Array.from({ length: READING_MAX }, (_, n) => n));
  expect(await refusal(read(999))).toBe('overloaded');
  for (let n = 0; n < all.length; n += 1) {
    finish[n]?.();
    await setImmediate();
    await setImmediate();
  }
  await Promise.all(all);
  expect(begun).toEqual(all.map((_, n) => n));
});

it('a read that fails passes its place on', async () => {
  const reads = new LongReads(available);
  for (let n = 0; n < 3 * READING_MAX; n += 1)
    await expect(reads.read(() => Promise.reject(new Error('away')))).rejects.toThrow('away');
  expect(await reads.read(() => Promise.resolve('here'))).toBe('here');
});

it.each(['overloaded', 'draining'] as const)('an instance that is %s reads no conversation', async (why) => {
  let reason: ErrorCode | null = why;
  const reads = new LongReads(() => reason);
  let calls = 0;
  const read = () => reads.read(async () => (calls += 1));
  expect(await refusal(read())).toBe(why);
  expect(calls).toBe(0);
  reason = null;
  expect(await read()).toBe(1);
});
