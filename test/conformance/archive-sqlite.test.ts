import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { archiveOn, openArchive, openEngine } from '../../src/archive/open.ts';
import { type ArchiveFixture, sessionOf } from './archive-fixture.ts';
import { describeArchive, ENOUGH_SESSIONS } from './archive-suite.ts';

async function fixtureIn(dataDir: string, files: string | null): Promise<ArchiveFixture> {
  const options = { databaseUrl: null, dataDir };
  const engine = openEngine(options);
  const archive = await archiveOn(engine);
  return {
    archive,
    engine,
    again: () => openArchive(options),
    async holds(text) {
      if (files === null) return null;
      const names = readdirSync(files).filter((name) => name.startsWith('archive.db'));
      return names.some((name) => readFileSync(join(files, name)).includes(text));
    },
    async stop() {
      await archive.close();
      if (files !== null) rmSync(files, { recursive: true, force: true });
    },
  };
}

describeArchive('sqlite, in a file', () => {
  const dir = mkdtempSync(join(tmpdir(), 'rehydra-archive-'));
  return fixtureIn(dir, dir);
});

let memories = 0;
describeArchive(
  'sqlite, in memory',
  () => {
    memories += 1;
    return fixtureIn(`:memory:archive-${memories}`, null);
  },
  ENOUGH_SESSIONS,
);

/** A process that opens the archive on a command, stores, erases, and prints the number of our sessions. */
const NEIGHBOUR = `
  import { openArchive } from './src/archive/open.ts';
  import { everyHit, sessionOf } from './test/conformance/archive-fixture.ts';
  process.stdout.write('ready');
  await new Promise((resolve) => process.stdin.once('data', resolve));
  const archive = await openArchive({ databaseUrl: null, dataDir: process.argv[1] });
  for (let index = 0; index < 20; index += 1) await archive.store(sessionOf({ userId: 'stays' }));
  await archive.store(sessionOf({ sessionId: 'goes-' + process.pid }));
  // A neighbour that reads the file at that moment makes the purge fail; the next erasure must complete it.
  for (let isPurged = false; !isPurged; ) {
    await archive.of('').eraseSession('goes-' + process.pid, Date.now()).then(
      () => { isPurged = true; },
      (error) => { if (error.code !== 'ARCHIVE_NOT_SCRUBBED') throw error; },
    );
  }
  process.stdout.write(String((await everyHit(archive, { userId: 'stays', limit: 50 })).length));
  await archive.close();
  process.exit();
`;

interface Neighbour {
  go(): Promise<number>;
}

async function neighbour(dir: string): Promise<Neighbour> {
  const args = ['--import', 'tsx', '--input-type=module', '-e', NEIGHBOUR, dir];
  const child = spawn(process.execPath, args, { stdio: ['pipe', 'pipe', 'inherit'] });
  await once(child.stdout, 'data');
  return {
    async go() {
      const closed = once(child, 'close');
      let said = '';
      child.stdout.on('data', (chunk: Buffer) => {
        said += chunk.toString();
      });
      child.stdin.write('go');
      await closed;
      return Number(said === '' ? Number.NaN : said);
    },
  };
}

describe('archive: sqlite itself', () => {
  it('several processes can open one new archive file at the same moment', async () => {
    const dir = mkdtempSync(join(tmpdir(), 'rehydra-archive-'));
    const neighbours = await Promise.all([1, 2, 3, 4].map(() => neighbour(dir)));
    const found = await Promise.all(neighbours.map(({ go }) => go()));
    expect(Math.max(...found)).toBe(80);
    rmSync(dir, { recursive: true });
  });

  it('an embedded archive keeps its conversations over a restart', async () => {
    const dir = mkdtempSync(join(tmpdir(), 'rehydra-archive-'));
    const options = { databaseUrl: null, dataDir: join(dir, 'made', 'when', 'needed') };
    const first = await openArchive(options);
    const session = sessionOf();
    await first.store(session);
    await first.close();
    const second = await openArchive(options);
    expect(await second.of('').read(session.sessionId)).toEqual([session]);
    await second.close();
    rmSync(dir, { recursive: true });
  });

  it('every open of :memory: gets its own archive', async () => {
    const options = { databaseUrl: null, dataDir: ':memory:' };
    const [one, two] = [await openArchive(options), await openArchive(options)];
    const session = sessionOf();
    await one.store(session);
    expect(await two.of('').read(session.sessionId)).toEqual([]);
    await one.close();
    await two.close();
  });

  it('an archive in an unusable folder fails to open and names the reason', async () => {
    const options = { databaseUrl: null, dataDir: '/dev/null/archive' };
    await expect(openArchive(options)).rejects.toMatchObject({
      code: 'ARCHIVE_UNAVAILABLE',
      message: 'archive: DATA_DIR /dev/null/archive cannot be used: /dev/null is not a folder',
    });
  });
});
