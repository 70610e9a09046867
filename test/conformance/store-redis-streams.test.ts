/** Logs that an earlier version stored as streams: the store reads, continues, trims, moves and ends them. */
import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Fence, Hint, Store, StoredFrame } from '../../src/store/contract.ts';
import { storedFrame } from '../../src/store/log.ts';
import { sessionKeys } from '../../src/store/redis/keys.ts';
import { openRedisStore } from '../../src/store/redis/open.ts';
import { type RedisServer, startRedis } from '../support/instance/redis-server.ts';
import {
  appendOf,
  commitOf,
  created,
  expectCommitted,
  frames,
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

const withAux = (after: number, count: number): readonly StoredFrame[] =>
  frames(after, count).map(({ offset, data }) =>
    storedFrame(offset, data, offset % 2 === 0 ? `[${offset}]` : undefined),
  );

/** A session whose log has the form of an earlier version. */
async function streamed(
  kept: readonly StoredFrame[],
): Promise<{ sessionId: string; fence: Fence; log: string }> {
  const session = await created(store, 'a', { frames: kept });
  const { log } = sessionKeys(session.sessionId);
  const page = direct.multi().del(log);
  for (const { offset, data, aux } of kept)
    page.xadd(log, `${offset}-0`, 'f', data, ...(aux === undefined ? [] : ['x', aux]));
  await page.exec();
  expect(await direct.type(log)).toBe('stream');
  return { ...session, log };
}

describe('a log stored as a stream', () => {
  it('a log stored as a stream is read in pages and exported byte for byte', async () => {
    const kept = withAux(0, 9);
    const { sessionId, log } = await streamed(kept);
    expect(await store.readLog(sessionId, 0, 100)).toEqual({ frames: kept, first: 1, head: 9 });
    expect(await store.readLog(sessionId, 4, 2)).toEqual({ frames: kept.slice(4, 6), first: 1, head: 9 });
    expect(await store.readLog(sessionId, 9, 2)).toEqual({ frames: [], first: 1, head: 9 });
    expect(await store.readLog(sessionId, 0, 0)).toEqual({ frames: [], first: 1, head: 9 });
    expect((await store.export(sessionId))?.frames).toEqual(kept);
    await direct.xtrim(log, 'MAXLEN', 3);
    expect(await store.readLog(sessionId, 0, 2)).toEqual({ frames: kept.slice(6, 8), first: 7, head: 9 });
    expect((await store.export(sessionId))?.frames).toEqual(kept.slice(6));
  });

  it.each(['append', 'commit'] as const)(
    'a log stored as a stream goes on without a gap and trims: %s',
    async (kind) => {
      const max = OPTIONS.frameLogMax;
      const { sessionId, fence, log } = await streamed(withAux(0, max - 1));
      let [head, version] = [max - 1, 1];
      const write = async (count: number): Promise<void> => {
        const change = { expectedHead: head, frames: withAux(head, count) };
        if (kind === 'append') expectCommitted(await store.append(fence, appendOf(change)));
        else expectCommitted(await store.commit(fence, commitOf({ ...change, expectedVersion: version++ })));
        head += count;
      };
      await write(2);
      expect(await direct.type(log)).toBe('list');
      expect(await store.readLog(sessionId, 0, 100)).toEqual({
        frames: withAux(1, max),
        first: 2,
        head: max + 1,
      });
      await write(3);
      expect(await store.readLog(sessionId, 0, 100)).toEqual({
        frames: withAux(4, max),
        first: 5,
        head: max + 4,
      });
    },
  );

  it('a write that stores no frame leaves a log stored as a stream readable', async () => {
    const { sessionId, fence } = await streamed(withAux(0, 3));
    expectCommitted(await store.commit(fence, commitOf({ expectedVersion: 1, expectedHead: 3 })));
    expectCommitted(await store.append(fence, appendOf({ expectedHead: 3 })));
    expect(await store.readLog(sessionId, 0, 9)).toEqual({ frames: withAux(0, 3), first: 1, head: 3 });
  });

  it('a long log stored as a stream becomes a list without losing a frame', async () => {
    const long = await openRedisStore({ ...OPTIONS, frameLogMax: 5_000, url: server.url });
    const kept = withAux(0, 3_500);
    const { sessionId, fence } = await streamed(kept);
    expectCommitted(await long.append(fence, appendOf({ expectedHead: 3_500, frames: withAux(3_500, 1) })));
    expect(await long.readLog(sessionId, 0, 9_000)).toEqual({
      frames: withAux(0, 3_501),
      first: 1,
      head: 3_501,
    });
    await long.close();
  });

  it('the hint of an end has the tail of a log stored as a stream', async () => {
    const hints: Hint[] = [];
    store.onHint((hint) => hints.push(hint));
    const { sessionId, fence } = await streamed(frames(0, 3));
    await store.watch(sessionId);
    const end = {
      expectedVersion: 1,
      expectedHead: 3,
      frames: frames(3, 1),
      notify: true,
      end: true,
      tail: true,
    };
    expectCommitted(await store.commit(fence, commitOf(end)));
    await until(() => hints.some(({ kind }) => kind === 'ended'));
    expect(hints).toContainEqual({ kind: 'ended', sessionId, frames: frames(0, 4) });
  });

  it('an import replaces a log stored as a stream', async () => {
    const { sessionId, fence } = await streamed(withAux(0, 3));
    await store.release(fence, false);
    const dump = await store.export(sessionId);
    expect(await store.import({ ...dump!, frames: withAux(1, 2) }, 'replace')).toEqual({ kind: 'imported' });
    expect(await store.readLog(sessionId, 0, 9)).toEqual({ frames: withAux(1, 2), first: 2, head: 3 });
  });
});

describe('a log stored as a list', () => {
  it('a log keeps control characters, marks and odd text in its frames byte for byte', async () => {
    const texts = ['', '\n', 'a\nb', '\u001f"x"', '\u0000\u0001', '🙂\u2028', '{"a":"\\n"}', ' '];
    const odd = texts.flatMap((data, n) => [
      storedFrame(2 * n + 1, data),
      storedFrame(2 * n + 2, data, '{"ids":[1]}'),
    ]);
    const { sessionId } = await created(store, 'a', { frames: odd });
    expect(await store.readLog(sessionId, 0, 99)).toEqual({ frames: odd, first: 1, head: odd.length });
    const { frames: exported, ...dump } = (await store.export(sessionId))!;
    const copy = freshId();
    await store.import({ ...dump, frames: exported, sessionId: copy }, 'absent-only');
    expect((await store.export(copy))?.frames).toEqual(odd);
  });
});
