/** A log that leaves out what its deltas share: in Redis it trims, moves and ends like any other. */
import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Hint, Store, StoredFrame } from '../../src/store/contract.ts';
import { storedFrame } from '../../src/store/log.ts';
import { sessionKeys } from '../../src/store/redis/keys.ts';
import { openRedisStore } from '../../src/store/redis/open.ts';
import { type RedisServer, startRedis } from '../support/instance/redis-server.ts';
import {
  appendOf,
  claimed,
  commitOf,
  created,
  expectCommitted,
  freshId,
  OPTIONS,
  until,
} from './store-fixture.ts';

let server: RedisServer;
let direct: Redis;
let store: Store;
beforeAll(async () => {
  server = await startRedis();
  direct = new Redis(server.port, '127.0.0.1');
  store = await openRedisStore({ ...OPTIONS, url: server.url });
});
afterAll(async () => {
  await store?.close();
  direct?.disconnect();
  await server?.stop();
});

function deltas(after: number, count: number, turn = 'turn'): readonly StoredFrame[] {
  return Array.from({ length: count }, (_, index) => {
    const offset = after + index + 1;
    const frame = { type: 'delta', offset, epoch: 1, turn_id: turn, text: ` é${offset}` };
    return storedFrame(offset, JSON.stringify(frame), `{"ids":[${offset}]}`);
  });
}

describe('a log of deltas', () => {
  it('a log of deltas trims to its maximum one by one, and every page of it is whole', async () => {
    const max = OPTIONS.frameLogMax;
    const { sessionId, fence } = await created(store, 'a', { frames: deltas(0, 1) });
    for (let head = 1; head < 3 * max; head += 1) {
      expectCommitted(await store.append(fence, appendOf({ expectedHead: head, frames: deltas(head, 1) })));
      const kept = Math.min(head + 1, max);
      const all = deltas(head + 1 - kept, kept);
      expect(await store.readLog(sessionId, 0, 100)).toEqual({
        frames: all,
        first: all[0]!.offset,
        head: head + 1,
      });
      const after = Math.max(0, head - 4);
      expect((await store.readLog(sessionId, after, 3))?.frames).toEqual(
        all.filter(({ offset }) => offset > after).slice(0, 3),
      );
    }
    const short = (await direct.lrange(sessionKeys(sessionId).log, 0, -1)).filter((element) =>
      element.startsWith('\u0002'),
    );
    expect(short.length).toBeGreaterThan(max - 4);
  });

  it('an owner whose log was deleted in mid-turn gets a conflict, and the next owner writes a log that every reader can tell', async () => {
    const { sessionId, fence } = await created(store, 'a', { frames: deltas(0, 2) });
    const { log } = sessionKeys(sessionId);
    await direct.del(log);
    const lost = appendOf({ expectedHead: 2, frames: deltas(2, 2) });
    expect(await store.append(fence, lost)).toEqual({ kind: 'conflict' });
    const commit = commitOf({ expectedVersion: 1, expectedHead: 2, frames: deltas(2, 2) });
    expect(await store.commit(fence, commit)).toEqual({ kind: 'conflict' });
    expect(await direct.exists(log)).toBe(0);
    await store.release(fence, false);
    const next = await claimed(store, sessionId, 'b');
    expectCommitted(await store.append(next.fence, appendOf({ expectedHead: 2, frames: deltas(2, 3) })));
    expect(await store.readLog(sessionId, 0, 9)).toEqual({ frames: deltas(2, 3), first: 3, head: 5 });
  });

  it('the deltas of the next owner name their turn again', async () => {
    const { sessionId, fence } = await created(store, 'a', { frames: deltas(0, 3) });
    await store.release(fence, false);
    const next = await claimed(store, sessionId, 'b');
    expectCommitted(await store.append(next.fence, appendOf({ expectedHead: 3, frames: deltas(3, 2) })));
    expect((await store.readLog(sessionId, 0, 9))?.frames).toEqual(deltas(0, 5));
    const { log } = sessionKeys(sessionId);
    expect((await direct.lindex(log, 3))?.startsWith('\u0001')).toBe(true);
    expect((await direct.lindex(log, 4))?.startsWith('\u0002')).toBe(true);
  });

  it('a refused or repeated write does not change what the next delta leaves out', async () => {
    const { sessionId, fence } = await created(store, 'a', { frames: deltas(0, 2) });
    const stale = appendOf({ expectedHead: 7, frames: deltas(7, 1, 'other') });
    expect(await store.append(fence, stale)).toEqual({ kind: 'conflict' });
    const write = appendOf({ expectedHead: 2, frames: deltas(2, 1, 'other') });
    expectCommitted(await store.append(fence, write));
    expectCommitted(await store.append(fence, write));
    expectCommitted(await store.append(fence, appendOf({ expectedHead: 3, frames: deltas(3, 2, 'other') })));
    expect((await store.readLog(sessionId, 0, 9))?.frames).toEqual([
      ...deltas(0, 2),
      ...deltas(2, 3, 'other'),
    ]);
  });

  it('the aux of a turn goes with the commit that ends the turn, and every frame stays', async () => {
    const { sessionId, fence } = await created(store, 'a', { frames: deltas(0, 2) });
    let version = 1;
    const commit = async (expectedHead: number, keepFrom?: number) =>
      expectCommitted(
        await store.commit(
          fence,
          commitOf({
            expectedVersion: version++,
            expectedHead,
            frames: deltas(expectedHead, 1),
            ...(keepFrom === undefined ? {} : { keepFrom }),
          }),
        ),
      );
    const offsetsWithAux = async () => {
      const page = await store.readLog(sessionId, 0, 99);
      expect(page?.frames.map(({ data }) => data)).toEqual(
        deltas(0, page?.head ?? 0).map(({ data }) => data),
      );
      return page?.frames.flatMap(({ offset, aux }) => (aux === undefined ? [] : [offset]));
    };
    await commit(2, 3);
    expectCommitted(
      await store.append(fence, appendOf({ expectedHead: 3, frames: deltas(3, 2), keepFrom: 3 })),
    );
    await commit(5, 3);
    expect(await offsetsWithAux()).toEqual([1, 2, 3, 4, 5, 6]);
    // The next turn begins in the commit that ends this one.
    await commit(6, 7);
    expect(await offsetsWithAux()).toEqual([1, 2, 7]);
    await commit(7);
    expect(await offsetsWithAux()).toEqual([1, 2]);
    await commit(8);
    expect(await offsetsWithAux()).toEqual([1, 2, 9]);
  });

  it('a log of deltas moves to another store byte for byte, long ones too', async () => {
    const long = await openRedisStore({ ...OPTIONS, frameLogMax: 5_000, url: server.url });
    const { sessionId } = await created(long, 'a', { frames: deltas(0, 2_300) });
    const dump = (await long.export(sessionId))!;
    expect(dump.frames).toEqual(deltas(0, 2_300));
    const copy = { ...dump, sessionId: freshId() };
    expect(await long.import(copy, 'absent-only')).toEqual({ kind: 'imported' });
    expect(await long.export(copy.sessionId)).toEqual({ ...copy, held: false });
    expect((await long.readLog(copy.sessionId, 1_003, 7))?.frames).toEqual(deltas(1_003, 7));
    await long.close();
  });

  it('the hint of an end has at most the last frames of the log, each whole', async () => {
    const hints: Hint[] = [];
    const long = await openRedisStore({ ...OPTIONS, frameLogMax: 500, url: server.url });
    long.onHint((hint) => hints.push(hint));
    const { sessionId, fence } = await created(long, 'a', { frames: deltas(0, 150) });
    await long.watch(sessionId);
    const end = {
      expectedVersion: 1,
      expectedHead: 150,
      frames: deltas(150, 1),
      notify: true,
      end: true,
      tail: true,
    };
    expectCommitted(await long.commit(fence, commitOf(end)));
    await until(() => hints.some(({ kind }) => kind === 'ended'));
    const tail = deltas(86, 64).map(({ aux: _, ...frame }) => frame);
    expect(hints).toContainEqual({ kind: 'ended', sessionId, frames: [...tail, ...deltas(150, 1)] });
    await long.close();
  });
});

describe('a stored snapshot', () => {
  it('a snapshot of any length is read byte for byte, and no earlier one shows through', async () => {
    const { sessionId, fence } = await created(store, 'a');
    const { session } = sessionKeys(sessionId);
    let version = 1;
    for (const length of [0, 1, 63, 64, 65, 640, 100, 1_024, 129, 1_025, 10, 5_000, 64]) {
      const snapshot = 'é'.repeat(length >> 1) + 'x'.repeat(length % 2);
      expectCommitted(await store.commit(fence, commitOf({ expectedVersion: version++, snapshot })));
      expect((await store.read(sessionId))?.snapshot).toBe(snapshot);
    }
    expect(await direct.hget(session, 'n')).toBeNull();
    await store.release(fence, false);
    expect((await claimed(store, sessionId, 'b')).record?.snapshot).toBe('é'.repeat(32));
  });

  it('a session with short snapshots is one compact hash', async () => {
    const { sessionId, fence } = await created(store, 'a', { snapshot: 'x'.repeat(900), messageIds: ['m'] });
    expectCommitted(await store.commit(fence, commitOf({ expectedVersion: 1, snapshot: 'y'.repeat(70) })));
    const { session } = sessionKeys(sessionId);
    expect(await direct.object('ENCODING', session)).toBe('listpack');
    expect(Object.keys(await direct.hgetall(session)).filter((field) => /^[1-9a-g]$/.test(field))).toEqual([
      '1',
      '2',
    ]);
  });
});
