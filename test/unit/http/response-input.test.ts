/** A body may have tens of thousands of items, which one instance reads while others wait. */
import { describe, expect, it } from 'vitest';
import { readInput, toldTurns } from '../../../src/http/responses/input.ts';

const saidOf = (count: number) =>
  Array.from({ length: count }, (_, index) => ({
    role: index % 2 === 0 ? ('user' as const) : ('assistant' as const),
    text: String(index),
  }));

/** Counts how often elements of an array are read. */
function counted<T extends object>(array: readonly T[]) {
  const count = { reads: 0 };
  const watched = new Proxy(array, {
    get(target, name) {
      if (typeof name === 'string' && /^\d+$/.test(name)) count.reads += 1;
      return Reflect.get(target, name);
    },
  });
  return { watched, count };
}

describe('input of a response', () => {
  it('each message of a long input is read a few times, however many there are', () => {
    const { watched, count } = counted(saidOf(2_000));
    expect(toldTurns(watched)).toHaveLength(1_000);
    expect(count.reads).toBeLessThan(2_000 * 8);
  });

  it('neighbouring messages of one role are one message, and an answer without a question gets one', () => {
    const item = (role: string, content: string) => ({ role, content });
    const input = [
      item('assistant', 'Hello'),
      item('user', 'One'),
      item('user', 'Two'),
      item('assistant', 'Three'),
      item('user', 'Four'),
    ];
    expect(readInput(input)).toEqual({
      question: 'Four',
      earlier: [
        { question: '(The assistant begins.)', answer: 'Hello' },
        { question: 'One\n\nTwo', answer: 'Three' },
      ],
      instructions: [],
    });
  });
});
