/** The embedded archive on a file that another process locks, and on a full disk. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { sql } from 'kysely';
import Database from 'libsql';
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { Archive } from '../../src/archive/archive.ts';
import type { Engine } from '../../src/archive/database/engine.ts';
import { archiveOn, openEngine } from '../../src/archive/open.ts';
import { ERASED_AT, sessionOf } from './archive-fixture.ts';

let dataDir: string;
let engine: Engine;
let archive: Archive;
beforeEach(async () => {
  dataDir = mkdtempSync(join(tmpdir(), 'rehydra-archive-faults-'));
  engine = openEngine({ databaseUrl: null, dataDir });
  archive = await archiveOn(engine);
});
afterEach(async () => {
  await archive.close();
  rmSync(dataDir, { recursive: true, force: true });
});

function lockFile(): { unlock(): void } {
  const other = new Database(join(dataDir, 'archive.db'), { timeout: 5_000 });
  other.exec('BEGIN IMMEDIATE');
  return {
    unlock() {
      other.exec('ROLLBACK');
      other.close();
    },
  };
}

it('an archive waits for the lock of another process without blocking the event loop, then stores the conversation', async () => {
  const other = lockFile();
  let settled = false;
  const one = sessionOf({ sessionId: 's-1' });
  const stored = archive.store(one).finally(() => {
    settled = true;
  });
  await sleep(150);
  expect(settled).toBe(false);
  other.unlock();
  await stored;
  expect(await archive.of('').read('s-1')).toHaveLength(1);
});

it('an archive rejects a write that waits too long for a lock, and works once the lock is gone', async () => {
  await archive.store(sessionOf({ sessionId: 's-1' }));
  const other = lockFile();
  await expect(archive.store(sessionOf({ sessionId: 's-2' }))).rejects.toMatchObject({
    code: 'ARCHIVE_UNAVAILABLE',
  });
  expect(await archive.of('').read('s-1')).toHaveLength(1);
  other.unlock();
  await archive.store(sessionOf({ sessionId: 's-2' }));
  expect(await archive.retire(Number.MAX_SAFE_INTEGER)).toBe(2);
  await archive.store(sessionOf({ sessionId: 's-3' }));
  expect(await archive.of('').eraseSession('s-3', ERASED_AT)).toBe(1);
  expect(await archive.health()).toBe(true);
});

it('the archive is unhealthy from the first conversation that finds no space until there is space for one', async () => {
  const limitPages = async (more: number) => {
    const found = await sql<{ page_count: number }>`PRAGMA page_count`.execute(engine.db);
    await sql.raw(`PRAGMA max_page_count = ${(found.rows[0]?.page_count ?? 0) + more}`).execute(engine.db);
  };
  const line = { role: 'user', author: null, content: 'x'.repeat(200_000), turnId: 't', at: 1 } as const;
  const large = sessionOf({ sessionId: 's-large', lines: [line] });
  await limitPages(4);
  expect(await archive.health()).toBe(true);
  await expect(archive.store(large)).rejects.toMatchObject({ code: 'ARCHIVE_UNAVAILABLE' });
  expect(await archive.health()).toBe(false);
  await limitPages(10_000);
  expect(await archive.health()).toBe(true);
  await archive.store(large);
  expect(await archive.of('').read('s-large')).toHaveLength(1);
});

it('the archive is unhealthy after its file was deleted', async () => {
  expect(await archive.health()).toBe(true);
  rmSync(join(dataDir, 'archive.db'));
  expect(await archive.health()).toBe(false);
});
