import { expect, it } from 'vitest';
import { createErasureQueue, WAITING_MAX } from '../../../src/http/sessions/erasure-queue.ts';

/** Erasures that end when the test says so. */
function erasures() {
  const started: number[] = [];
  const ends: (() => void)[] = [];
  const erase = (number: number) => () => {
    started.push(number);
    return new Promise<number>((resolve) => ends.push(() => resolve(number)));
  };
  return { started, ends, erase };
}

const settled = () => new Promise<void>((resolve) => setImmediate(resolve));

it('erasures of an instance run one at a time, in the order of their requests', async () => {
  const queue = createErasureQueue();
  const { started, ends, erase } = erasures();
  const answers = [1, 2, 3].map((number) => queue.run(erase(number)));
  for (let running = 1; running <= 3; running += 1) {
    await settled();
    expect(started).toHaveLength(running);
    ends[running - 1]?.();
  }
  expect(await Promise.all(answers)).toEqual([1, 2, 3]);
  expect(started).toEqual([1, 2, 3]);
});

it('an erasure beyond those that may wait is refused, and accepted again once one has ended', async () => {
  const queue = createErasureQueue();
  const { ends, erase } = erasures();
  const accepted = Array.from({ length: WAITING_MAX + 1 }, (_, number) => queue.run(erase(number)));
  await expect(queue.run(erase(99))).rejects.toMatchObject({ code: 'overloaded' });
  await settled();
  ends[0]?.();
  await accepted[0];
  const next = queue.run(erase(100));
  for (let ended = 1; ended <= WAITING_MAX + 1; ended += 1) {
    await settled();
    ends[ended]?.();
  }
  expect(await next).toBe(100);
});

it('an erasure that fails does not keep the next one from running', async () => {
  const queue = createErasureQueue();
  const failing = queue.run(() => Promise.reject(new Error('no')));
  const next = queue.run(async () => 'done');
  await expect(failing).rejects.toThrow('no');
  expect(await next).toBe('done');
});
