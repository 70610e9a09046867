/** The embedded store on a locked file, on a full disk, and in an unusable folder. */
import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import Database from 'libsql';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Store } from '../../src/store/contract.ts';
import { openDatabase } from '../../src/store/sqlite/database.ts';
import { openSqliteStore } from '../../src/store/sqlite/open.ts';
import { claimed, commitOf, created, freshId, OPTIONS, ownerless } from './store-fixture.ts';

let dataDir: string;
let store: Store;
beforeEach(async () => {
  dataDir = mkdtempSync(join(tmpdir(), 'rehydra-faults-'));
  store = await openSqliteStore({ ...OPTIONS, leaseMs: 60_000, dataDir });
});
afterEach(async () => {
  await store.close();
  rmSync(dataDir, { recursive: true, force: true });
});

/** Another process that uses the file, such as a backup or a shell. */
function lockFile(): { unlock(): void } {
  const other = new Database(join(dataDir, 'rehydra.db'), { timeout: 5_000 });
  other.exec('BEGIN IMMEDIATE');
  return {
    unlock() {
      other.exec('ROLLBACK');
      other.close();
    },
  };
}

describe('while another process locks the file', () => {
  it('a write waits for a locked embedded file without blocking the event loop, then commits', async () => {
    const { fence } = await created(store, 'a');
    const other = lockFile();
    let settled = false;
    const write = store.commit(fence, commitOf({ expectedVersion: 1 })).finally(() => {
      settled = true;
    });
    await sleep(100);
    expect(settled).toBe(false);
    other.unlock();
    expect(await write).toMatchObject({ kind: 'committed' });
  });

  it('the embedded store rejects an operation that waits too long for a lock, and the store serves again once the lock is gone', async () => {
    const { sessionId, fence } = await created(store, 'a');
    const sleeping = await ownerless(store);
    const other = lockFile();
    const tried = await Promise.allSettled([
      store.commit(fence, commitOf({ expectedVersion: 1 })),
      store.renew(fence),
      store.claim(freshId(), 'b'),
      store.claim(sleeping, 'b'),
      store.push(sessionId, 'x'),
      store.sweep(0, Date.now(), 10, 1_000),
    ]);
    expect(tried.map((one) => one.status === 'rejected' && one.reason.code)).toEqual(
      tried.map(() => 'STORE_UNAVAILABLE'),
    );
    expect(await store.health()).toMatchObject({ ok: false });
    other.unlock();
    expect(await store.commit(fence, commitOf({ expectedVersion: 1 }))).toMatchObject({ kind: 'committed' });
    expect(await store.health()).toMatchObject({ ok: true });
    expect(await claimed(store, sleeping, 'b')).toMatchObject({ record: { version: 1 } });
    expect(await store.read(sessionId)).toMatchObject({ version: 2, inboxLength: 0 });
  });

  it('a write between two writes of another process succeeds', async () => {
    const { fence } = await created(store, 'a');
    const other = new Database(join(dataDir, 'rehydra.db'), { timeout: 5_000 });
    for (let version = 1; version <= 5; version += 1) {
      other.exec('BEGIN IMMEDIATE; CREATE TABLE IF NOT EXISTS other (n); INSERT INTO other VALUES (1);');
      const write = store.commit(fence, commitOf({ expectedVersion: version }));
      await sleep(5);
      other.exec('COMMIT');
      expect(await write).toMatchObject({ kind: 'committed' });
    }
    other.close();
  });

  it('an embedded store waits for a locked file when it opens', async () => {
    await store.close();
    const other = lockFile();
    const opening = openSqliteStore({ ...OPTIONS, dataDir });
    await sleep(200);
    other.unlock();
    store = await opening;
    expect(await store.health()).toMatchObject({ ok: true });
  });

  it('an embedded store closes on a locked file, and opens again afterwards', async () => {
    await created(store, 'a');
    const other = lockFile();
    await store.close();
    other.unlock();
    store = await openSqliteStore({ ...OPTIONS, dataDir });
    expect(await store.health()).toMatchObject({ ok: true });
  });
});

describe('on a disk that takes no more', () => {
  const limitPages = (more: number) => {
    const { db, release } = openDatabase(dataDir);
    const { page_count: pages } = (db.pragma('page_count') as { page_count: number }[])[0]!;
    db.pragma(`max_page_count = ${pages + more}`);
    release();
  };
  const large = commitOf({ expectedVersion: 1, snapshot: 'x'.repeat(200_000) });

  it('the embedded store is unhealthy from the first write that finds no space until there is space for a write', async () => {
    const { sessionId, fence } = await created(store, 'a');
    limitPages(4);
    expect(await store.health()).toMatchObject({ ok: true });
    await expect(store.commit(fence, large)).rejects.toMatchObject({ code: 'STORE_FULL' });
    expect(await store.health()).toMatchObject({ ok: false, detail: expect.stringContaining('full') });
    // A write without new space succeeds meanwhile but must not hide the full disk.
    expect(await store.renew(fence)).toMatchObject({ kind: 'renewed' });
    expect(await store.read(sessionId)).toMatchObject({ version: 1 });
    expect(await store.health()).toMatchObject({ ok: false });
    limitPages(10_000);
    expect(await store.health()).toMatchObject({ ok: true });
    expect(await store.commit(fence, large)).toMatchObject({ kind: 'committed' });
  });

  it('an embedded store that became read-only refuses writes and serves reads', async () => {
    const { sessionId, fence } = await created(store, 'a');
    const { db, release } = openDatabase(dataDir);
    db.pragma('query_only = ON');
    await expect(store.commit(fence, large)).rejects.toMatchObject({ code: 'STORE_READONLY' });
    expect(await store.read(sessionId)).toMatchObject({ version: 1 });
    expect(await store.health()).toMatchObject({ ok: false, detail: expect.stringContaining('readonly') });
    db.pragma('query_only = OFF');
    expect(await store.health()).toMatchObject({ ok: true });
    release();
  });

  it('the health probe of the embedded store leaves nothing behind', async () => {
    const { fence } = await created(store, 'a');
    limitPages(4);
    await expect(store.commit(fence, large)).rejects.toMatchObject({ code: 'STORE_FULL' });
    limitPages(10_000);
    expect(await store.health()).toMatchObject({ ok: true });
    const { db, release } = openDatabase(dataDir);
    expect(db.prepare('SELECT COUNT(*) AS rows FROM inbox').get()).toMatchObject({ rows: 0 });
    release();
  });
});

describe('deleted and replaced files', () => {
  it.each([
    ['deleted', (file: string) => rmSync(file)],
    [
      'replaced',
      (file: string) => {
        renameSync(file, `${file}.moved`);
        writeFileSync(file, '');
      },
    ],
  ])('the embedded store is unhealthy after its file was %s', async (what, change) => {
    expect(await store.health()).toMatchObject({ ok: true });
    change(join(dataDir, 'rehydra.db'));
    expect(await store.health()).toMatchObject({ ok: false, detail: expect.stringContaining(what) });
  });
});

describe('unusable folders', () => {
  it.each([
    ['below /proc', () => '/proc/nope/data'],
    ['below a file', () => join(dataDir, 'rehydra.db', 'data')],
    ['that is a file', () => join(dataDir, 'rehydra.db')],
  ])('the embedded store refuses a folder %s in one line that names it', async (_, folder) => {
    const opening = openSqliteStore({ ...OPTIONS, dataDir: folder() });
    await expect(opening).rejects.toMatchObject({
      code: 'STORE_UNAVAILABLE',
      message: expect.stringMatching(/^DATA_DIR [^\n]* cannot be used: [^\n]*$/),
    });
    await expect(opening).rejects.toMatchObject({ message: expect.stringContaining(folder()) });
  });
});
