import { setImmediate } from 'node:timers/promises';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { ClientConnection } from '../../../src/delivery/client-connection.ts';
import { Subscription } from '../../../src/delivery/subscription.ts';
import type { LogPage, Store, StoredFrame } from '../../../src/store/contract.ts';
import { storedFrame } from '../../../src/store/log.ts';

const RESET = '{"type":"reset"}';
const UNNAMED = { clientId: null, userId: null };

/** A log that the test writes, and the one client that follows it. */
class Scene {
  readonly log: StoredFrame[] = [];
  readonly sent: string[] = [];
  readonly resets: string[] = [];
  ended: string | null = null;
  gone = false;
  failures = 0;
  reads = 0;
  pauses = 0;
  /** The life of the session to which the log belongs. */
  createdAt = 1;
  trimmedTo = 0;
  /** The number of frames that the socket still accepts. */
  room = Number.POSITIVE_INFINITY;
  onPause: () => void = () => {};
  readonly subscription: Subscription;

  constructor() {
    const connection: ClientConnection = {
      id: 'connection',
      send: (frames) => {
        if (frames.length > this.room) return false;
        this.room -= frames.length;
        this.sent.push(...frames);
        return true;
      },
      refuse() {},
      end: (code) => {
        this.ended = code;
      },
    };
    const readLog = async (_: string, after: number, limit: number): Promise<LogPage | null> => {
      this.reads += 1;
      await setImmediate();
      if (this.failures > 0) {
        this.failures -= 1;
        throw new Error('the store is away');
      }
      if (this.gone) return null;
      const kept = this.log.slice(this.trimmedTo);
      const head = this.log.at(-1)?.offset ?? 0;
      const frames = kept.filter(({ offset }) => offset > after).slice(0, limit);
      return { frames, first: kept[0]?.offset ?? head + 1, head };
    };
    this.subscription = new Subscription('session', connection, UNNAMED, {
      store: { readLog } as Pick<Store, 'readLog'> as Store,
      reset: async (_, reason) => {
        this.resets.push(reason);
        const last = this.log.at(-1);
        const epoch = last === undefined ? 1 : (JSON.parse(last.data) as { epoch: number }).epoch;
        const { createdAt } = this;
        return { data: RESET, head: last?.offset ?? 0, epoch, createdAt, state: 'connected' };
      },
      createdAt: async () => this.createdAt,
      pause: async () => {
        this.pauses += 1;
        this.onPause();
        await setImmediate();
      },
    });
    this.subscription.setArrival({ version: 1, epoch: 1, createdAt: 1 });
  }

  /** Stores frames and returns them. */
  write(
    count: number,
    epoch = 1,
    body: Readonly<Record<string, unknown>> = { type: 'delta' },
  ): readonly StoredFrame[] {
    const frames = Array.from({ length: count }, (_, index) => {
      const offset = this.log.length + index + 1;
      return storedFrame(offset, JSON.stringify({ type: body.type, offset, epoch, ...body }));
    });
    this.log.push(...frames);
    return frames;
  }

  begin(cursor = 0, epoch: number | null = 1, upToDate = false): void {
    this.subscription.begin(cursor, epoch, upToDate, 'connected');
  }

  /** The sent frames as offsets, a reset as `reset`. */
  get heard(): readonly (number | 'reset')[] {
    return this.sent.map((data) =>
      data === RESET ? 'reset' : (JSON.parse(data) as { offset: number }).offset,
    );
  }
}

async function settle(): Promise<void> {
  for (let turns = 0; turns < 20; turns += 1) await setImmediate();
}

describe('subscription', () => {
  it('a subscription sends offered frames in order, each once', async () => {
    const scene = new Scene();
    scene.begin(0, 1, true);
    const first = scene.write(2);
    scene.subscription.offer(first);
    scene.subscription.offer(first);
    scene.subscription.offer([...first, ...scene.write(1)]);
    expect(scene.heard).toEqual([1, 2, 3]);
    expect(scene.reads).toBe(0);
  });

  it('a subscription that misses a frame reads the log, and is live again', async () => {
    const scene = new Scene();
    scene.begin(0, 1, true);
    scene.write(3);
    scene.subscription.offer(scene.write(1));
    expect(scene.heard).toEqual([]);
    await settle();
    expect(scene.heard).toEqual([1, 2, 3, 4]);
    scene.subscription.offer(scene.write(1));
    expect(scene.heard).toEqual([1, 2, 3, 4, 5]);
  });

  it('a subscription sends nothing before it begins, and then every frame stored meanwhile', async () => {
    const scene = new Scene();
    scene.subscription.offer(scene.write(2));
    expect(scene.heard).toEqual([]);
    scene.begin(0, 1, true);
    await settle();
    expect(scene.heard).toEqual([1, 2]);
  });

  it('a subscription reads a long log page by page, including frames stored meanwhile', async () => {
    const scene = new Scene();
    scene.write(1_200);
    scene.begin(100);
    scene.subscription.offer(scene.write(5));
    await settle();
    expect(scene.heard).toEqual(Array.from({ length: 1_105 }, (_, index) => 101 + index));
  });

  it('a subscription whose next frames were trimmed sends a reset and continues after it', async () => {
    const scene = new Scene();
    scene.write(10);
    scene.trimmedTo = 5;
    scene.begin(2);
    await settle();
    expect([scene.resets, scene.heard]).toEqual([['trimmed'], ['reset']]);
    scene.subscription.offer(scene.write(2));
    await settle();
    expect(scene.heard).toEqual(['reset', 11, 12]);
  });

  it('a subscription needs no reset when only the last seen frame was trimmed', async () => {
    const scene = new Scene();
    scene.write(10);
    scene.trimmedTo = 5;
    scene.begin(5);
    await settle();
    expect([scene.resets, scene.heard]).toEqual([[], [6, 7, 8, 9, 10]]);
  });

  it('a subscription sends a reset when the log is shorter than what the client saw', async () => {
    const scene = new Scene();
    scene.write(3);
    scene.begin(7);
    await settle();
    expect([scene.resets, scene.heard]).toEqual([['rolled_back'], ['reset']]);
  });

  it('a subscription sends a reset when the log holds another frame at the offset that the client saw', async () => {
    const scene = new Scene();
    scene.write(2, 1);
    scene.write(3, 2);
    scene.begin(3, 1);
    await settle();
    expect([scene.resets, scene.heard]).toEqual([['rolled_back'], ['reset']]);
  });

  it('a subscription continues without a reset when a new owner wrote after the last seen frame', async () => {
    const scene = new Scene();
    scene.write(3, 1);
    scene.write(2, 2);
    scene.begin(3, 1);
    await settle();
    expect([scene.resets, scene.heard]).toEqual([[], [4, 5]]);
  });

  it('a subscription that loses its owner sends an up-to-date client a reset if the log lost frames', async () => {
    const scene = new Scene();
    scene.begin(0, 1, true);
    scene.subscription.offer(scene.write(3));
    scene.log.length = 1;
    scene.write(4, 2);
    scene.subscription.pull();
    await settle();
    expect([scene.heard, scene.resets, scene.ended]).toEqual([
      [1, 2, 3, 'reset'],
      ['rolled_back'],
      'session_moved',
    ]);
  });

  it('a subscription that loses its owner sends the rest of the log before it ends', async () => {
    const scene = new Scene();
    scene.begin(0, 1, true);
    scene.subscription.offer(scene.write(2));
    scene.write(2);
    scene.write(1, 2);
    scene.failures = 2;
    scene.subscription.sendAway('session_moved');
    expect(scene.ended).toBeNull();
    await settle();
    expect([scene.heard, scene.ended]).toEqual([[1, 2, 3, 4, 5], 'session_moved']);
  });

  it.each([
    ['read the whole log here', 0],
    ['resumed at the end of the log', 3],
    ['resumed in the middle of the log', 2],
  ])('a subscription reports a loss to a client without an epoch that %s', async (_, after) => {
    const scene = new Scene();
    scene.write(3);
    scene.begin(after, null);
    await settle();
    scene.log.length = 1;
    scene.write(4, 2);
    scene.subscription.sendAway('session_moved');
    await settle();
    expect([scene.heard.at(-1), scene.resets, scene.ended]).toEqual([
      'reset',
      ['rolled_back'],
      'session_moved',
    ]);
  });

  it('a subscription sends no frame of another session under the same id', async () => {
    const scene = new Scene();
    scene.begin(0, 1, true);
    scene.subscription.offer(scene.write(3));
    scene.log.length = 0;
    scene.write(1, 2);
    scene.createdAt = 2;
    scene.subscription.pull();
    await settle();
    expect([scene.heard, scene.ended]).toEqual([[1, 2, 3], 'session_moved']);
  });

  it('a subscription ends after the first dropped send, and sends nothing more', async () => {
    const scene = new Scene();
    scene.begin(0, 1, true);
    scene.room = 1;
    scene.subscription.offer(scene.write(1));
    scene.subscription.offer(scene.write(2));
    expect(scene.ended).toBe('slow_consumer');
    scene.room = 100;
    scene.subscription.offer(scene.write(1));
    scene.subscription.pull();
    await settle();
    expect(scene.heard).toEqual([1]);
  });

  it('a subscription waits for a store that is away, and misses no frame', async () => {
    const scene = new Scene();
    scene.failures = 3;
    scene.write(2);
    scene.begin(0);
    await settle();
    expect([scene.heard, scene.pauses]).toEqual([[1, 2], 3]);
  });

  it('a subscription ends when its session is gone', async () => {
    const scene = new Scene();
    scene.gone = true;
    scene.begin(0);
    await settle();
    expect(scene.ended).toBe('session_expired');
  });

  it('a subscription whose log is deleted while it reads still sends the last frames and the reason', async () => {
    const scene = new Scene();
    const last = scene.write(2);
    scene.gone = true;
    scene.onPause = () => scene.subscription.finish(last, 'closed');
    scene.begin(0);
    await settle();
    expect([scene.heard, scene.ended]).toEqual([[1, 2], 'closed']);
  });

  it('a subscription sends the frames of an end once, as far as the final frames go back', async () => {
    const scene = new Scene();
    scene.begin(0, 1, true);
    scene.subscription.offer(scene.write(2));
    scene.write(5);
    scene.subscription.finish(scene.log.slice(1), 'closed');
    scene.subscription.finish(scene.log.slice(1), 'closed');
    expect([scene.heard, scene.ended]).toEqual([[1, 2, 3, 4, 5, 6, 7], 'closed']);
  });

  it('a subscription ignores the final frames of another log', async () => {
    const scene = new Scene();
    scene.begin(0, 1, true);
    scene.subscription.offer(scene.write(2));
    scene.log.length = 1;
    scene.write(3, 2);
    scene.subscription.finish(scene.log.slice(1), 'closed');
    expect([scene.heard, scene.ended]).toEqual([[1, 2], 'closed']);
  });

  it('a subscription does not send final frames after a gap', async () => {
    const scene = new Scene();
    scene.begin(0, 1, true);
    scene.write(1);
    const last = scene.write(2);
    scene.subscription.finish(last, 'closed');
    await settle();
    expect([scene.heard, scene.ended]).toEqual([[], 'closed']);
  });

  it('a subscription sends a damaged frame as it is, and the frames after it', async () => {
    const scene = new Scene();
    scene.write(4);
    scene.log[1] = storedFrame(2, '{"type":"delta","offs');
    scene.begin(0, 1);
    await settle();
    expect(scene.sent).toEqual(scene.log.map(({ data }) => data));
    scene.subscription.offer(scene.write(1));
    await settle();
    expect(scene.sent).toEqual(scene.log.map(({ data }) => data));
  });

  it('a subscription resumes after a damaged frame', async () => {
    const scene = new Scene();
    scene.write(3);
    scene.log[1] = storedFrame(2, 'damaged');
    scene.begin(2, 1);
    await settle();
    expect(scene.heard).toEqual([3]);
  });

  it('a subscription ends with its session although one of the last frames is damaged', async () => {
    const scene = new Scene();
    scene.begin(0, 1, true);
    const last = [...scene.write(1), storedFrame(2, 'damaged'), ...scene.write(2).slice(1)];
    scene.subscription.finish(last, 'session_expired');
    expect(scene.sent).toEqual(last.map(({ data }) => data));
    expect(scene.ended).toBe('session_expired');
  });

  it('a subscription knows from its sent frames whether a turn runs', async () => {
    const scene = new Scene();
    scene.begin(0, 1, true);
    expect(scene.subscription.turnRuns).toBe(false);
    scene.subscription.offer(scene.write(1, 1, { type: 'state', value: 'processing' }));
    scene.subscription.offer(scene.write(1, 1, { type: 'delta', text: '"value":"connected"' }));
    expect(scene.subscription.turnRuns).toBe(true);
    scene.subscription.offer(scene.write(1, 1, { type: 'state', value: 'connected' }));
    expect(scene.subscription.turnRuns).toBe(false);
  });

  it('a subscription sends the whole log in order, whatever is offered, hinted, lost or failing', async () => {
    const move = fc.record({
      frames: fc.integer({ min: 0, max: 4 }),
      told: fc.constantFrom('offered', 'hinted', 'lost', 'offered twice'),
      fails: fc.integer({ min: 0, max: 2 }),
      waits: fc.boolean(),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(move, { maxLength: 25 }), fc.nat(10), async (moves, begun) => {
        const scene = new Scene();
        scene.write(begun);
        for (const [index, { frames, told, fails, waits }] of moves.entries()) {
          if (index === 1) scene.begin(0);
          scene.failures += fails;
          const written = scene.write(frames);
          if (told.startsWith('offered')) scene.subscription.offer(written);
          if (told === 'offered twice') scene.subscription.offer(written);
          if (told === 'hinted') scene.subscription.pull();
          if (waits) await setImmediate();
        }
        scene.begin(0);
        scene.subscription.pull();
        while (scene.heard.length < scene.log.length) await setImmediate();
        expect(scene.heard).toEqual(scene.log.map(({ offset }) => offset));
        expect(scene.resets).toEqual([]);
      }),
      { numRuns: 200 },
    );
  });
});
