/** A sealed archive keeps every promise of a plain one, and its files contain no text of a conversation. */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ARCHIVE_PURPOSE } from '../../src/archive/field-cipher.ts';
import { archiveOn, openArchive, openEngine } from '../../src/archive/open.ts';
import { textsOfArchive } from '../../src/archive/stored-texts.ts';
import { NO_KEYS, type SealingKeys } from '../../src/sealing/key-ring.ts';
import { createSealer, type StoredText } from '../../src/sealing/sealer.ts';
import { type PostgresServer, startPostgres } from '../support/instance/postgres.ts';
import { keyLine, sealingWith } from '../support/keys.ts';
import { type ArchiveFixture, dialogue, everyHit, sessionOf } from './archive-fixture.ts';
import { describeArchive, ENOUGH_SESSIONS } from './archive-suite.ts';

let server: PostgresServer;
beforeAll(async () => {
  server = await startPostgres();
}, 60_000);
afterAll(() => server?.stop());

const [first, second] = [keyLine('first'), keyLine('second')];

async function fixtureOn(databaseUrl: string | null, dataDir: string): Promise<ArchiveFixture> {
  const options = { databaseUrl, dataDir, sealing: sealingWith(`${second},${first}`) };
  const engine = openEngine(options);
  const archive = await archiveOn(engine);
  return {
    archive,
    engine,
    again: () => openArchive(options),
    // The files of a sealed archive have no word of a session even before its erasure.
    holds: async () => null,
    stop: () => archive.close(),
  };
}

let memories = 0;
describeArchive(
  'sqlite, sealed',
  () => {
    memories += 1;
    return fixtureOn(null, `:memory:sealed-${memories}`);
  },
  ENOUGH_SESSIONS,
);
describeArchive('postgres, sealed', async () => fixtureOn(await server.database(), '/nowhere'));

describe.each([
  ['sqlite', async () => fixtureOn(null, ':memory:listed')],
  ['postgres', async () => fixtureOn(await server.database(), '/nowhere')],
])('the texts of an archive on %s', (_, open) => {
  it('the list of what an archive seals has every text once, and each opens in its place', async () => {
    const { archive, engine, stop } = await open();
    try {
      const lines = dialogue(Array.from({ length: 1_203 }, (_, n) => `said ${n}`));
      const sessions = [sessionOf({ lines }), sessionOf({ lines: [] }), sessionOf(), sessionOf()];
      for (const session of sessions) await archive.store(session);
      const listed: StoredText[] = [];
      for await (const texts of textsOfArchive(engine)) listed.push(...texts);
      expect(new Set(listed.map(({ scope, place }) => `${scope} ${place}`)).size).toBe(listed.length);
      const sealer = createSealer(sealingWith(`${second},${first}`).ring, ARCHIVE_PURPOSE);
      const opened = listed.map(({ scope, place, stored }) => {
        const found = sealer.open(scope, place, stored);
        return found.kind === 'opened' ? found.text : found.why;
      });
      const said = sessions.flatMap((session) => session.lines.map(({ content }) => content));
      const patients = sessions.map(({ patient }) => JSON.stringify(patient));
      const secondQuestion = 'said 2';
      expect(opened.toSorted()).toEqual([...said, ...patients, secondQuestion].toSorted());
    } finally {
      await stop();
    }
  });
});

describe('a sealed archive', () => {
  const folder = mkdtempSync(join(tmpdir(), 'rehydra-sealed-'));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  const WORD = 'palpitations';
  const session = () =>
    sessionOf({
      userId: 'anna',
      patient: { history: `once had ${WORD}` },
      lines: dialogue([`${WORD} at night`, 'Since when?', `${WORD} since Tuesday`, 'I see.']),
    });
  const inFiles = () =>
    readdirSync(folder).filter((name) => readFileSync(join(folder, name)).includes(WORD.slice(0, 9)));
  const using = async <T>(
    sealing: SealingKeys,
    use: (archive: Awaited<ReturnType<typeof openArchive>>) => Promise<T>,
  ): Promise<T> => {
    const archive = await openArchive({ databaseUrl: null, dataDir: folder, sealing });
    try {
      return await use(archive);
    } finally {
      await archive.close();
    }
  };

  it('a sealed archive has no word of a conversation in its files, and its search finds the conversation', async () => {
    const said = session();
    await using(sealingWith(first), async (archive) => {
      await archive.store(said);
      expect(await everyHit(archive, { text: `night ${WORD}`, userId: 'anna', limit: 5 })).toEqual([
        said.sessionId,
      ]);
      expect((await archive.of('').search({ text: WORD, limit: 1 })).hits[0]?.snippet).toContain(WORD);
      expect(JSON.stringify((await archive.of('').figures({})).secondTurns)).toContain(WORD);
      expect(inFiles()).toEqual([]);
    });
    expect(inFiles()).toEqual([]);
  });

  it('a sealed archive reads and searches with an old key while it writes with a new one', async () => {
    const [before, after] = [session(), session()];
    await using(sealingWith(first), (archive) => archive.store(before));
    await using(sealingWith(`${second},${first}`), async (archive) => {
      await archive.store(after);
      expect(await archive.of('').read(before.sessionId)).toEqual([before]);
      const found = await everyHit(archive, { text: WORD, limit: 50 });
      expect(found).toEqual(expect.arrayContaining([before.sessionId, after.sessionId]));
    });
  });

  it('a sealed archive counts a second question that it stored under several keys as one', async () => {
    const asked = () => sessionOf({ lines: dialogue(['Hello', 'Hi.', 'Is bread healthy?', 'Often.']) });
    for (const lines of [first, `${second},${first}`])
      await using(sealingWith(lines), (archive) => archive.store(asked()));
    await using(NO_KEYS, (archive) => archive.store(asked()));
    await using(sealingWith(`${second},${first}`), async (archive) => {
      const { secondTurns } = await archive.of('').figures({});
      expect(secondTurns.filter(({ pattern }) => pattern === 'is bread healthy')).toEqual([
        { pattern: 'is bread healthy', count: 3 },
      ]);
    });
  });

  it('a sealed archive finds conversations from before the first key, and refuses text that no key opens', async () => {
    const [plain, sealed] = [session(), session()];
    await using(NO_KEYS, (archive) => archive.store(plain));
    await using(sealingWith(first), async (archive) => {
      await archive.store(sealed);
      expect(await everyHit(archive, { text: WORD, limit: 50 })).toContain(plain.sessionId);
      expect(await archive.of('').read(plain.sessionId)).toEqual([plain]);
    });
    await using(sealingWith(keyLine('first')), async (archive) => {
      await expect(archive.of('').read(sealed.sessionId)).rejects.toMatchObject({ code: 'ARCHIVE_SEALED' });
    });
  });
});
