/** The contract of `archive.ts` as tests, for every database. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { describeErasure } from './archive-erasure.ts';
import { describeFigures } from './archive-figures.ts';
import {
  type ArchiveFactory,
  type ArchiveFixture,
  dialogue,
  everyHit,
  HOUR_MS,
  MORNING,
  sessionOf,
  turnOf,
} from './archive-fixture.ts';
import { describeSearch } from './archive-search.ts';
import { describeTenants } from './archive-tenants.ts';

/** PostgreSQL plans by row counts, so its tests always have this many sessions. */
const MANY_SESSIONS = 100_000;
/** SQLite plans the same for any number of rows, so only the file gets the large number. */
export const ENOUGH_SESSIONS = 20_000;

export function describeArchive(name: string, open: ArchiveFactory, manySessions = MANY_SESSIONS): void {
  describe(`archive: ${name}`, () => {
    describeStoring(open);
    describeSearch(open, manySessions);
    describeErasure(open);
    describeFigures(open);
    describeTenants(open);
  });
}

function describeStoring(open: ArchiveFactory): void {
  describe('storing', () => {
    let fixture: ArchiveFixture;
    beforeAll(async () => {
      fixture = await open();
    });
    afterAll(() => fixture.stop());

    it('an archive returns every field that it stored', async () => {
      const session = sessionOf({
        clientId: 'client-1',
        diagnosisId: 'I21.4',
        endReason: 'idle',
        patient: { age: 45, vitals: { spo2: 97.5 }, history: ['asthma', null] },
        lines: dialogue(
          ['Chest pain — “pressing”, 38.5°C 🫀', "Robert'); DROP TABLE archived_lines;--"],
          'dr-who',
        ),
        turns: [turnOf(), turnOf({ turnId: 'turn-1', outcome: 'failed', firstTokenMs: null, totalMs: null })],
      });
      await fixture.archive.store(session);
      expect(await fixture.archive.of('').read(session.sessionId)).toEqual([session]);
    });

    it('an archive keeps one row of a session that it stored twice, with the latest content', async () => {
      const session = sessionOf({ lines: dialogue(['first telling', 'a', 'b', 'c']), turns: [turnOf()] });
      await fixture.archive.store(session);
      await fixture.archive.store(session);
      expect(await fixture.archive.of('').read(session.sessionId)).toEqual([session]);
      const later = { ...session, lines: dialogue(['second telling']), turns: [] };
      await fixture.archive.store(later);
      expect(await fixture.archive.of('').read(session.sessionId)).toEqual([later]);
      expect(await everyHit(fixture.archive, { text: 'first telling', limit: 10 })).toEqual([]);
      expect(await everyHit(fixture.archive, { text: 'second telling', limit: 10 })).toEqual([
        session.sessionId,
      ]);
    });

    it('an archive keeps every life of a reused id, newest first', async () => {
      const first = sessionOf();
      const second = { ...first, createdAt: MORNING + HOUR_MS, endedAt: MORNING + 2 * HOUR_MS };
      await fixture.archive.store(second);
      await fixture.archive.store(first);
      expect(await fixture.archive.of('').read(first.sessionId)).toEqual([second, first]);
    });

    it('an archive returns nothing for an unknown session', async () => {
      expect(await fixture.archive.of('').read('never')).toEqual([]);
    });

    it('an archive takes simultaneous stores of one session, and of sessions that began in the same ms', async () => {
      const sessions = Array.from({ length: 30 }, (_, index) =>
        sessionOf({
          createdAt: MORNING + 5 * HOUR_MS,
          userId: 'crowd',
          lines: dialogue([`question ${index}`]),
        }),
      );
      const handle = await fixture.again();
      await Promise.all(
        sessions.flatMap((session) => [fixture.archive.store(session), handle.store(session)]),
      );
      await handle.close();
      const found = await everyHit(fixture.archive, { userId: 'crowd', limit: 7 });
      expect(found.toSorted()).toEqual(sessions.map(({ sessionId }) => sessionId).toSorted());
      for (const session of sessions) {
        expect(await fixture.archive.of('').read(session.sessionId)).toEqual([session]);
      }
    });

    it('an archive stores text with a NUL, half a character, a very long word, or no words', async () => {
      const contents = ['a\0b', 'half \ud83e of a heart', 'x'.repeat(300_000), '¿?', ''];
      const session = sessionOf({ lines: dialogue(contents), userId: 'nul\0user' });
      await fixture.archive.store(session);
      const [read] = await fixture.archive.of('').read(session.sessionId);
      const kept = ['a\ufffdb', 'half \ufffd of a heart', contents[2], '¿?', ''];
      expect(read?.lines.map(({ content }) => content)).toEqual(kept);
      expect(await everyHit(fixture.archive, { userId: 'nul\0user', limit: 5 })).toEqual([session.sessionId]);
      expect(await everyHit(fixture.archive, { text: 'x'.repeat(300_000), limit: 5 })).toEqual([
        session.sessionId,
      ]);
    });

    it('an archive stores a conversation of a hundred thousand different words', async () => {
      const words = Array.from({ length: 100_000 }, (_, index) => `word${index}`);
      const session = sessionOf({ lines: dialogue(['the beginning', words.join(' ')]) });
      await fixture.archive.store(session);
      expect(await everyHit(fixture.archive, { text: 'beginning word99', limit: 5 })).toEqual([
        session.sessionId,
      ]);
    });
  });

  describe('opening and closing', () => {
    it('an open archive is healthy, and a closed one refuses calls', async () => {
      const fixture = await open();
      expect(await fixture.archive.health()).toBe(true);
      await fixture.archive.close();
      await fixture.archive.close();
      expect(await fixture.archive.health()).toBe(false);
      await expect(fixture.archive.of('').read('x')).rejects.toMatchObject({ code: 'ARCHIVE_CLOSED' });
      await fixture.stop();
    });

    it('several instances can open an archive at the same moment, even a new one', async () => {
      const fixture = await open();
      const handles = await Promise.all([fixture.again(), fixture.again(), fixture.again()]);
      const session = sessionOf();
      await handles[0].store(session);
      expect(await handles[2].of('').read(session.sessionId)).toEqual([session]);
      for (const handle of handles) await handle.close();
      expect(await fixture.archive.of('').read(session.sessionId)).toEqual([session]);
      await fixture.stop();
    });
  });
}
