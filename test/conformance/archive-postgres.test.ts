import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { archiveOn, openArchive, openEngine } from '../../src/archive/open.ts';
import { type PostgresServer, query, startPostgres } from '../support/instance/postgres.ts';
import { type ArchiveFixture, dialogue, sessionOf } from './archive-fixture.ts';
import { describeArchive } from './archive-suite.ts';

let server: PostgresServer;
beforeAll(async () => {
  server = await startPostgres();
}, 60_000);
afterAll(() => server?.stop());

async function fixture(): Promise<ArchiveFixture & { readonly url: string }> {
  const url = await server.database();
  const options = { databaseUrl: url, dataDir: '/nowhere' };
  const engine = openEngine(options);
  const archive = await archiveOn(engine);
  return {
    url,
    archive,
    engine,
    again: () => openArchive(options),
    async holds(text) {
      if (server.dataDir === null) return null;
      await query(url, 'CHECKPOINT');
      return filesOf(server.dataDir, ['pg_wal']).some((file) => bytesOf(file).includes(text));
    },
    stop: () => archive.close(),
  };
}

/** A running server removes and replaces files; a removed file counts as empty. */
function bytesOf(file: string): Buffer {
  try {
    return readFileSync(file);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return Buffer.alloc(0);
    throw error;
  }
}

function filesOf(folder: string, without: readonly string[]): readonly string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .filter((file) => !without.some((name) => file.startsWith(join(folder, name))));
}

describeArchive('postgres', fixture);

describe('archive: postgres itself', () => {
  it('an erasure leaves nothing of a user in PostgreSQL’s statistics', async () => {
    const { archive, url, holds } = await fixture();
    for (let index = 0; index < 30; index += 1) {
      const lines = dialogue(['wcanaryw', 'wcanaryw', 'wcanaryw'], 'wcanaryw');
      await archive.store(
        sessionOf({ userId: 'wcanaryw', diagnosisId: 'wcanaryw', clientId: 'wcanaryw', lines }),
      );
    }
    await query(url, 'ANALYZE');
    await archive.of('').eraseUser('wcanaryw', Date.now());
    expect(await holds('wcanaryw')).not.toBe(true);
    await archive.close();
  });

  it('a purge in PostgreSQL waits for older transactions that can see the erased rows', async () => {
    const { archive, url, holds } = await fixture();
    await archive.store(sessionOf({ sessionId: 'goes', lines: dialogue(['vcanaryv']) }));
    const older = new pg.Client({ connectionString: url });
    await older.connect();
    await older.query('BEGIN ISOLATION LEVEL REPEATABLE READ');
    await older.query('SELECT 1');
    let erased = false;
    const erasing = archive
      .of('')
      .eraseSession('goes', Date.now())
      .then(() => {
        erased = true;
      });
    // Other clients no longer find the session, although the erasure has not finished.
    while ((await archive.of('').read('goes')).length > 0);
    expect(erased).toBe(false);
    await older.query('COMMIT');
    await erasing;
    expect(await holds('vcanaryv')).not.toBe(true);
    await older.end();
    await archive.close();
  });

  it('an erasure leaves no byte in PostgreSQL’s write-ahead log after a switch without recycled files', async () => {
    if (server.dataDir === null) return;
    const { archive, url } = await fixture();
    await archive.store(sessionOf({ sessionId: 'goes', lines: dialogue(['ucanaryu']) }));
    await archive.of('').eraseSession('goes', Date.now());
    for (let turn = 0; turn < 2; turn += 1) {
      await query(url, 'SELECT pg_switch_wal()');
      await query(url, 'CHECKPOINT');
    }
    const holding = filesOf(server.dataDir, []).filter((file) => readFileSync(file).includes('ucanaryu'));
    expect(holding).toEqual([]);
    await archive.close();
  });

  it('an erasure succeeds while a process is frozen in a store, and that store then fails', async () => {
    const { archive, engine } = await fixture();
    let goOn = () => {};
    const frozen = engine.db.transaction().execute(async (tx) => {
      await engine.keepErasuresOut(tx);
      await new Promise<void>((resume) => {
        goOn = resume;
      });
      await tx.deleteFrom('archived_turns').execute();
    });
    const told = expect(frozen).rejects.toThrow();
    await archive.store(sessionOf({ sessionId: 'goes' }));
    expect(await archive.of('').eraseSession('goes', Date.now())).toBe(1);
    goOn();
    await told;
    expect(await archive.health()).toBe(true);
    await archive.close();
  }, 60_000);

  it('an archive in PostgreSQL survives the loss of its connections', async () => {
    const { archive, url } = await fixture();
    const session = sessionOf();
    await archive.store(session);
    await query(
      url,
      `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
        WHERE datname = current_database() AND pid <> pg_backend_pid()`,
    );
    // The pool may still hand out a broken connection.
    await archive.health();
    expect(await archive.of('').read(session.sessionId)).toEqual([session]);
    await archive.close();
  });

  it('an archive without a reachable PostgreSQL fails to open and names the reason', async () => {
    const options = { databaseUrl: 'postgres://nobody@127.0.0.1:1/none', dataDir: '/nowhere' };
    await expect(openArchive(options)).rejects.toMatchObject({ code: 'ARCHIVE_UNAVAILABLE' });
  });
});
