import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { BUCKETS, bucketOf, UNCOMMITTED_LEASES } from '../../src/store/contract.ts';
import { openDatabase } from '../../src/store/sqlite/database.ts';
import { openSqliteStore } from '../../src/store/sqlite/open.ts';
import { claimed, commitOf, created, frames, freshId, OPTIONS } from './store-fixture.ts';
import { sqliteFixture } from './store-sqlite-fixture.ts';
import { describeStore } from './store-suite.ts';

function temporary(): { dir: string; remove: () => void } {
  const dir = mkdtempSync(join(tmpdir(), 'rehydra-sqlite-'));
  return { dir, remove: () => rmSync(dir, { recursive: true, force: true }) };
}

describeStore('sqlite, in a file', (options) => {
  const { dir, remove } = temporary();
  return sqliteFixture(options, dir, remove);
});

describeStore('sqlite, in memory', (options) => sqliteFixture(options, `:memory:${freshId()}`, () => {}));

/** A process that opens a folder, commits one session, reports it, and runs until it is killed. */
const HOLDER = `
  import { openSqliteStore } from './src/store/sqlite/open.ts';
  import { claimed, commitOf, OPTIONS } from './test/conformance/store-fixture.ts';
  const store = await openSqliteStore({ ...OPTIONS, dataDir: process.argv[1] });
  const { fence } = await claimed(store, 'held', 'holder');
  await store.commit(fence, commitOf());
  process.stdout.write('committed');
  setInterval(() => {}, 1_000);
`;

describe('sqlite itself', () => {
  it('the embedded store keeps its sessions over a restart, and its health names its durability', async () => {
    const { dir, remove } = temporary();
    const first = await openSqliteStore({ ...OPTIONS, dataDir: dir });
    const { sessionId } = await created(first, 'a', { frames: frames(0, 2) });
    expect(await first.health()).toMatchObject({ ok: true, kind: 'sqlite', durability: 'file' });
    await first.close();
    const second = await openSqliteStore({ ...OPTIONS, dataDir: dir });
    expect(await second.read(sessionId)).toMatchObject({ version: 1, head: 2 });
    await second.close();
    remove();
  });

  it('a noted purge of the embedded store is finished after a restart, and without a note no file is rewritten', async () => {
    const { dir, remove } = temporary();
    const word = `canary${freshId()}`;
    const filesWith = () =>
      ['rehydra.db', 'rehydra.db-wal']
        .map((name) => join(dir, name))
        .filter((file) => existsSync(file) && readFileSync(file).includes(word));
    const first = await openSqliteStore({ ...OPTIONS, dataDir: dir });
    const snapshot = JSON.stringify({ word: word.repeat(50) });
    const { sessionId, fence } = await created(first, 'a', { snapshot });
    await first.release(fence, false);
    await first.notePurge();
    expect(await first.discard(sessionId)).toBe('discarded');
    // As if the process died before its purge; closing empties the log into the file.
    await first.close();
    const second = await openSqliteStore({ ...OPTIONS, dataDir: dir });
    await second.purge();
    expect(filesWith()).toEqual([]);
    const rewritten = readFileSync(join(dir, 'rehydra.db'));
    await second.purge();
    expect(readFileSync(join(dir, 'rehydra.db'))).toEqual(rewritten);
    await second.close();
    remove();
  });

  it('a claim of the embedded store ends after one lease at most, even if the clock was set back by an hour', async () => {
    let now = 1_800_000_000_000;
    const dataDir = `:memory:${freshId()}`;
    const owner = await openSqliteStore({ ...OPTIONS, dataDir, now: () => now });
    const heir = await openSqliteStore({ ...OPTIONS, dataDir, now: () => now });
    const { sessionId, fence } = await created(owner, 'owner');
    now -= 3_600_000;
    await owner.renew(fence);
    expect(await heir.claim(sessionId, 'heir')).toMatchObject({ kind: 'held', instance: 'owner' });
    now -= 3_600_000;
    const claim = await heir.claim(sessionId, 'heir');
    expect(claim).toMatchObject({ kind: 'claimed' });
    expect(claim.kind === 'claimed' && claim.fence.epoch).toBeGreaterThan(fence.epoch);
    expect(await owner.renew(fence)).toEqual({ kind: 'fenced' });
    await Promise.all([owner.close(), heir.close()]);
  });

  it('a second process cannot open the folder of an embedded store until the first one is dead', async () => {
    const { dir, remove } = temporary();
    const holder = spawn(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', HOLDER, dir], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    await once(holder.stdout, 'data');
    await expect(openSqliteStore({ ...OPTIONS, dataDir: dir })).rejects.toThrow(/in use by another process/);
    holder.kill('SIGKILL');
    await once(holder, 'exit');
    const store = await openSqliteStore({ ...OPTIONS, dataDir: dir });
    // Every acknowledged write survives the kill.
    expect(await store.read('held')).toMatchObject({ version: 1 });
    await store.close();
    remove();
  });

  it('every open of :memory: gets its own database', async () => {
    const [one, two] = [
      await openSqliteStore({ ...OPTIONS, dataDir: ':memory:' }),
      await openSqliteStore({ ...OPTIONS, dataDir: ':memory:' }),
    ];
    const { sessionId } = await created(one, 'a');
    expect(await one.read(sessionId)).not.toBeNull();
    expect(await two.read(sessionId)).toBeNull();
    expect(await one.health()).toMatchObject({ durability: 'memory' });
    await one.close();
    await two.close();
  });

  it('a closed handle of the embedded store refuses calls, even while another handle is open', async () => {
    const dataDir = `:memory:${freshId()}`;
    const one = await openSqliteStore({ ...OPTIONS, dataDir });
    const two = await openSqliteStore({ ...OPTIONS, dataDir });
    await one.close();
    await expect(one.read('x')).rejects.toMatchObject({ code: 'STORE_CLOSED' });
    expect(await two.read('x')).toBeNull();
    await two.close();
    await expect(two.claim('x', 'a')).rejects.toMatchObject({ code: 'STORE_CLOSED' });
  });

  it('a reader of an embedded store needs no lock, sees later commits of the process that serves it, and can change nothing', async () => {
    const { dir, remove } = temporary();
    const serving = await openSqliteStore({ ...OPTIONS, dataDir: dir });
    const { sessionId, fence } = await created(serving, 'a', { frames: frames(0, 2) });
    const reader = await openSqliteStore({ ...OPTIONS, dataDir: dir, use: 'read' });
    expect(await reader.export(sessionId)).toEqual(await serving.export(sessionId));
    await serving.commit(fence, commitOf({ expectedVersion: 1, expectedHead: 2 }));
    expect(await reader.read(sessionId)).toMatchObject({ version: 2 });
    await expect(reader.claim(freshId(), 'b')).rejects.toMatchObject({ code: 'STORE_READONLY' });
    await expect(reader.push(sessionId, 'x')).rejects.toMatchObject({ code: 'STORE_READONLY' });
    await reader.close();
    expect(await serving.read(sessionId)).toMatchObject({ version: 2, inboxLength: 0 });
    await serving.close();
    remove();
  });

  it('a write that finds no space is rejected and sends no hint, and other writes of its event-loop turn succeed', async () => {
    const { dir, remove } = temporary();
    const store = await openSqliteStore({ ...OPTIONS, dataDir: dir });
    const { db, release } = openDatabase(dir);
    const [large, small] = [await created(store, 'a'), await created(store, 'a')];
    const hints: unknown[] = [];
    store.onHint((hint) => hints.push(hint));
    await store.watch(large.sessionId);
    const { page_count: pages } = (db.pragma('page_count') as { page_count: number }[])[0]!;
    db.pragma(`max_page_count = ${pages + 20}`);
    const huge = commitOf({ expectedVersion: 1, snapshot: 'x'.repeat(1_000_000), notify: true });
    const [failed, worked] = await Promise.allSettled([
      store.commit(large.fence, huge),
      store.commit(small.fence, commitOf({ expectedVersion: 1 })),
    ]);
    expect(failed).toMatchObject({ status: 'rejected', reason: { code: 'STORE_FULL' } });
    expect(worked).toMatchObject({ status: 'fulfilled', value: { kind: 'committed' } });
    expect(await store.read(large.sessionId)).toMatchObject({ version: 1 });
    expect(hints).toEqual([]);
    db.pragma('max_page_count = 1000000');
    expect(await store.commit(large.fence, huge)).toMatchObject({ kind: 'committed' });
    release();
    await store.close();
    remove();
  });

  it('the embedded store keeps a session for a year without an instance, and one with the time limit of an earlier version', async () => {
    let at = 1_000_000;
    const dataDir = `:memory:${freshId()}`;
    const store = await openSqliteStore({ ...OPTIONS, dataDir, now: () => at });
    const { db, release } = openDatabase(dataDir);
    const userId = freshId('u');
    const dueAt = at + 1_000;
    const index = { state: 'idle', userId, createdAt: at };
    const one = await created(store, 'a', { frames: frames(0, 2), dueAt, index });
    const old = await created(store, 'a', { frames: frames(0, 2), dueAt, index });
    db.prepare('UPDATE sessions SET expires_at = ? WHERE id = ?').run(at + 60_000, old.sessionId);
    at += 31_536_000_000;
    for (const { sessionId } of [one, old]) {
      expect(await store.read(sessionId)).toMatchObject({ version: 1 });
      expect((await store.sweep(bucketOf(sessionId), at, 10, 1_000)).due).toContain(sessionId);
      expect(await claimed(store, sessionId, 'b')).toMatchObject({ record: { version: 1, head: 2 } });
    }
    expect(await store.countOfUser(userId, 10)).toBe(2);
    expect((await store.list({ userId, limit: 10 })).sessionIds).toHaveLength(2);
    release();
    await store.close();
  });

  it('an expired claim without a commit reads as absent, and a sweep deletes its row', async () => {
    let at = 1_000_000;
    const dataDir = `:memory:${freshId()}`;
    const store = await openSqliteStore({ ...OPTIONS, dataDir, now: () => at });
    const { db, release } = openDatabase(dataDir);
    const { fence } = await claimed(store, freshId(), 'a');
    at += UNCOMMITTED_LEASES * OPTIONS.leaseMs;
    expect(await store.renew(fence)).toEqual({ kind: 'fenced' });
    for (let bucket = 0; bucket < BUCKETS; bucket += 1) await store.sweep(bucket, at, 10, 1);
    expect(db.prepare('SELECT COUNT(*) AS rows FROM sessions').get()).toMatchObject({ rows: 0 });
    release();
    await store.close();
  });
});
