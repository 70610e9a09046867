import { describe, expect, it } from 'vitest';
import { UserQuota } from '../../../src/session/actor/user-quota.ts';
import type { Store } from '../../../src/store/contract.ts';

/** Counts sessions by user; the test decides when each count is answered. */
function counted() {
  const living = new Map<string, number>();
  const questions: { readonly upTo: number; readonly answer: () => void }[] = [];
  const store = {
    countOfUser: (userId: string, upTo: number) =>
      new Promise<number>((resolve) => {
        const answer = () => resolve(Math.min(living.get(userId) ?? 0, upTo));
        questions.push({ upTo, answer });
      }),
  } as Store;
  const make = (userId: string) => async () => {
    living.set(userId, (living.get(userId) ?? 0) + 1);
    return 'made';
  };
  const answerAll = async () => {
    for (let quiet = 0; quiet < 3; quiet += 1) {
      for (const { answer } of questions.splice(0)) {
        answer();
        quiet = 0;
      }
      await new Promise((resolve) => setImmediate(resolve));
    }
  };
  return { living, questions, store, make, answerAll };
}

describe('user quota', () => {
  it('a user quota admits sessions up to its limit, and another one only after one has ended', async () => {
    const { living, store, make, answerAll } = counted();
    const quota = new UserQuota(store, 3);
    const ask = async () => {
      const outcome = quota.within('ada', make('ada'));
      await answerAll();
      return outcome;
    };
    expect([await ask(), await ask(), await ask(), await ask()]).toEqual(['made', 'made', 'made', null]);
    living.set('ada', 2);
    expect(await ask()).toBe('made');
  });

  it('a user quota does not ask the store for a session without a user, nor without a limit', async () => {
    const { store, questions, make } = counted();
    expect(await new UserQuota(store, 1).within(null, make('nobody'))).toBe('made');
    expect(await new UserQuota(store, 0).within('ada', make('ada'))).toBe('made');
    expect(questions).toHaveLength(0);
  });

  it('a user quota asks the store once per new session, and counts only up to the limit', async () => {
    const { store, questions, make, answerAll } = counted();
    const outcome = new UserQuota(store, 100).within('ada', make('ada'));
    expect(questions.map(({ upTo }) => upTo)).toEqual([100]);
    await answerAll();
    expect(await outcome).toBe('made');
    expect(questions).toHaveLength(0);
  });

  it.each([
    [0, 5],
    [3, 2],
    [5, 0],
  ])(
    'a user quota of 5 with %d sessions admits exactly %d of twenty simultaneous ones',
    async (there, room) => {
      const { living, store, make, answerAll } = counted();
      living.set('ada', there);
      const quota = new UserQuota(store, 5);
      const all = Promise.all(Array.from({ length: 20 }, () => quota.within('ada', make('ada'))));
      await answerAll();
      expect((await all).filter((outcome) => outcome === 'made')).toHaveLength(room);
      expect(living.get('ada')).toBe(5);
    },
  );

  it('a session that was just stored does not count twice in a user quota', async () => {
    const { living, store, make, questions, answerAll } = counted();
    const quota = new UserQuota(store, 2);
    let acknowledge = () => {};
    const first = quota.within('ada', async () => {
      await make('ada')();
      return new Promise<string>((resolve) => {
        acknowledge = () => resolve('made');
      });
    });
    questions.shift()?.answer();
    await new Promise((resolve) => setImmediate(resolve));
    // The session is in the store, but its creator does not know it yet.
    expect(living.get('ada')).toBe(1);
    const second = quota.within('ada', make('ada'));
    await answerAll();
    acknowledge();
    await answerAll();
    expect(await Promise.all([first, second])).toEqual(['made', 'made']);
  });

  it('a user quota does not count a session that failed to open, and counts each user apart', async () => {
    const { living, store, make, answerAll } = counted();
    const quota = new UserQuota(store, 1);
    const failing = quota.within('ada', () => Promise.reject(new Error('away')));
    const others = Promise.all([quota.within('ada', make('ada')), quota.within('bob', make('bob'))]);
    const failure = expect(failing).rejects.toThrow('away');
    await answerAll();
    await failure;
    expect(await others).toEqual(['made', 'made']);
    expect(Object.fromEntries(living)).toEqual({ ada: 1, bob: 1 });
  });

  it('a user quota fails while the store does, and works again afterwards', async () => {
    let away = true;
    const store = {
      countOfUser: () => (away ? Promise.reject(new Error('away')) : Promise.resolve(0)),
    } as unknown as Store;
    const quota = new UserQuota(store, 1);
    await expect(quota.within('ada', async () => 'made')).rejects.toThrow('away');
    away = false;
    expect(await quota.within('ada', async () => 'made')).toBe('made');
  });
});
