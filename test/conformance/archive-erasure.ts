import { beforeEach, describe, expect, it } from 'vitest';
import type { ArchivedSession } from '../../src/archive/archive.ts';
import { notePurge } from '../../src/archive/database/purge.ts';
import {
  type ArchiveFactory,
  type ArchiveFixture,
  dialogue,
  ERASED_AT,
  everyHit,
  fill,
  HOUR_MS,
  MORNING,
  sessionOf,
  turnOf,
} from './archive-fixture.ts';

const TABLES = ['archived_sessions', 'archived_lines', 'archived_turns'] as const;

export function describeErasure(open: ArchiveFactory): void {
  describe('erasing', () => {
    let fixture: ArchiveFixture;
    beforeEach(async () => {
      fixture = await open();
      return () => fixture.stop();
    });

    /** A conversation with its word in every field. */
    const telling = (word: string, changes: Partial<ArchivedSession> = {}): ArchivedSession =>
      sessionOf({
        clientId: `${word}-client`,
        diagnosisId: `${word}-diagnosis`,
        patient: { complaint: `${word} in the patient` },
        lines: dialogue(
          [`${word} first`, `answer about ${word}`, `${word} second ${'pad '.repeat(900)}`],
          word,
        ),
        turns: [turnOf({ turnId: `${word}-turn` })],
        ...changes,
      });

    const rowsLeft = async (): Promise<number[]> => {
      const counted: number[] = [];
      for (const table of TABLES) {
        counted.push((await fixture.engine.db.selectFrom(table).select('n').execute()).length);
      }
      return counted;
    };

    it('an erasure removes every life of a session from every table and the search, and no other session', async () => {
      const { archive } = fixture;
      const stays = sessionOf({ turns: [turnOf()] });
      await archive.store(stays);
      const before = await rowsLeft();
      const goes = telling('zebrafish', { sessionId: 'goes' });
      await archive.store(goes);
      await archive.store({ ...goes, createdAt: MORNING + 1 });
      expect(await everyHit(archive, { text: 'zebrafish', limit: 5 })).toHaveLength(2);
      expect(await archive.of('').eraseSession('goes', ERASED_AT)).toBe(2);
      expect(await archive.of('').read('goes')).toEqual([]);
      expect(await everyHit(archive, { text: 'zebrafish', limit: 5 })).toEqual([]);
      expect(await rowsLeft()).toEqual(before);
      expect(await archive.of('').read(stays.sessionId)).toEqual([stays]);
      expect(await everyHit(archive, { text: 'headache', limit: 5 })).toEqual([stays.sessionId]);
      expect(await archive.of('').eraseSession('goes', ERASED_AT)).toBe(0);
    });

    it('an erasure of a user removes all their sessions and names each once', async () => {
      const { archive } = fixture;
      for (const [sessionId, createdAt] of [
        ['one', MORNING],
        ['one', MORNING + 1],
        ['two', MORNING],
      ] as const) {
        await archive.store(telling('zebrafish', { sessionId, createdAt, userId: 'anna' }));
      }
      await archive.store(sessionOf({ sessionId: 'three', userId: 'ben' }));
      expect((await archive.of('').eraseUser('anna', ERASED_AT)).toSorted()).toEqual(['one', 'two']);
      expect(await everyHit(archive, { limit: 5 })).toEqual(['three']);
      expect(await archive.of('').eraseUser('anna', ERASED_AT)).toEqual([]);
    });

    it('an erasure of a user blanks their lines in sessions of others and keeps the other lines', async () => {
      const { archive } = fixture;
      const [mine, , hers] = dialogue(['my own words', 'an answer', 'zebrafish by her'], 'ben');
      const shared = sessionOf({
        sessionId: 'shared',
        userId: 'ben',
        lines: [mine!, { ...hers!, author: 'anna' }],
      });
      await archive.store(shared);
      expect(await archive.of('').eraseUser('anna', ERASED_AT)).toEqual([]);
      const [read] = await archive.of('').read('shared');
      expect(read?.lines).toEqual([mine, { ...hers, author: null, content: '' }]);
      expect(await everyHit(archive, { text: 'zebrafish', limit: 5 })).toEqual([]);
      expect(await everyHit(archive, { text: 'own words', limit: 5 })).toEqual(['shared']);
      expect((await archive.of('').figures({})).secondTurns).toEqual([]);
      expect(await fixture.holds('zebrafish')).not.toBe(true);
    });

    it('an erasure of a user takes the histories that name the user, and no others', async () => {
      const { archive } = fixture;
      const own = archive.of('');
      const store = (sessionId: string, users: readonly string[]) =>
        archive.store(sessionOf({ sessionId, userId: 'ben' }), { text: `["zebrafish ${users}"]`, users });
      await store('visited', ['anna', 'carl']);
      await store('quiet', ['carl']);
      expect(await own.histories('visited')).toMatchObject([
        { userId: 'ben', text: '["zebrafish anna,carl"]' },
      ]);
      expect(await own.eraseUser('anna', ERASED_AT)).toEqual([]);
      expect(await own.histories('visited')).toEqual([]);
      expect(await own.read('visited')).toHaveLength(1);
      expect(await own.histories('quiet')).toHaveLength(1);
      expect(await fixture.holds('zebrafish anna')).not.toBe(true);
      // Its owner archives the session again, or a session that began before the erasure ends after it.
      await store('visited', ['anna']);
      await store('later', ['anna']);
      expect([...(await own.histories('visited')), ...(await own.histories('later'))]).toEqual([]);
      await own.eraseSession('quiet', ERASED_AT);
      expect(await own.histories('quiet')).toEqual([]);
      expect(await fixture.holds('zebrafish')).not.toBe(true);
    });

    it('an erasure leaves no byte of a session in any file', async () => {
      const { archive } = fixture;
      await archive.store(sessionOf({ sessionId: 'stays', userId: 'bystander' }));
      await archive.store(telling('qcanaryq', { sessionId: 'qcanaryq-id', userId: 'qcanaryq-user' }));
      expect(await fixture.holds('qcanaryq')).not.toBe(false);
      await archive.of('').eraseSession('qcanaryq-id', ERASED_AT);
      expect(await fixture.holds('qcanaryq')).not.toBe(true);
      expect(await fixture.holds('bystander')).not.toBe(false);
    });

    it('an erasure leaves no byte of a user whose sessions are scattered over split and emptied pages', async () => {
      const { archive } = fixture;
      const pick = randomOf(7);
      // Words and ids in random order, so that rows and words land between others.
      const text = () => Array.from({ length: 12 }, () => 'abcdefghijklmnopqrstuvwxyz'[pick(26)]).join('');
      for (let index = 0; index < 240; index += 1) {
        const own = pick(3) === 0;
        // Neighbours that differ only in their last letter, so the index stores the whole word.
        const pair = (word: string) => `${word}qcanaryqx ${word}qcanaryqy`;
        const words = Array.from({ length: 40 }, () => (own ? pair(text()) : text())).join(' ');
        const padding = ' -'.repeat(pick(pick(3_000) + 1));
        await archive.store(
          sessionOf({
            sessionId: own ? `qcanaryq${text()}` : text(),
            createdAt: MORNING + pick(1_000_000),
            userId: own ? 'qcanaryq' : 'bystander',
            lines: dialogue([words, padding, text() + padding]),
          }),
        );
      }
      expect(await fixture.holds('qcanaryq')).not.toBe(false);
      expect((await archive.of('').eraseUser('qcanaryq', ERASED_AT)).length).toBeGreaterThan(50);
      expect(await fixture.holds('canaryq')).not.toBe(true);
      expect((await everyHit(archive, { userId: 'bystander', limit: 50 })).length).toBeGreaterThan(100);
    }, 60_000);

    it('the next start of an archive finishes an erasure whose process died before the purge', async () => {
      const { archive, engine } = fixture;
      await archive.store(telling('qcanaryq', { sessionId: 'qcanaryq-id' }));
      await engine.db.transaction().execute(async (tx) => {
        await tx.deleteFrom('archived_sessions').execute();
        await notePurge(tx);
      });
      await (await fixture.again()).close();
      expect(await fixture.holds('qcanaryq')).not.toBe(true);
      expect(await engine.db.selectFrom('archive_erasures').selectAll().execute()).toEqual([]);
    });

    it('simultaneous erasures finish while instances store other sessions', async () => {
      const { archive } = fixture;
      for (let index = 0; index < 8; index += 1) {
        await archive.store(telling(`qcanaryq${index}`, { sessionId: `goes-${index}` }));
      }
      const stays = Array.from({ length: 20 }, () => sessionOf({ userId: 'stays' }));
      const erased = await Promise.all([
        ...Array.from({ length: 8 }, (_, index) => archive.of('').eraseSession(`goes-${index}`, ERASED_AT)),
        ...stays.map((session) => archive.store(session)),
      ]);
      expect(erased.slice(0, 8)).toEqual(Array.from({ length: 8 }, () => 1));
      expect(await fixture.holds('qcanaryq')).not.toBe(true);
      expect(await everyHit(archive, { limit: 50 })).toHaveLength(20);
    });

    it('an archive stores no late life of an erased session that began before the erasure, and every later one', async () => {
      const { archive } = fixture;
      const late = telling('zebrafish', { sessionId: 'goes' });
      const next = sessionOf({ sessionId: 'goes', createdAt: ERASED_AT + 1 });
      expect(await archive.of('').eraseSession('goes', ERASED_AT)).toBe(0);
      const other = await fixture.again();
      await other.store(late);
      await other.store({ ...late, createdAt: ERASED_AT });
      await other.store(next);
      await other.close();
      expect(await archive.of('').read('goes')).toEqual([next]);
      expect(await fixture.holds('zebrafish')).not.toBe(true);
    });

    it('an archive stores no late session of an erased user that began before the erasure, and none of its words', async () => {
      const { archive } = fixture;
      await archive.of('').eraseUser('anna', ERASED_AT);
      await archive.store(telling('zebrafish', { userId: 'anna' }));
      const next = sessionOf({ userId: 'anna', createdAt: ERASED_AT + 1 });
      await archive.store(next);
      expect(await everyHit(archive, { userId: 'anna', limit: 5 })).toEqual([next.sessionId]);
      expect(await fixture.holds('zebrafish')).not.toBe(true);
    });

    it('an archive stores a late session of another user without the lines that the erased user wrote before the erasure', async () => {
      const { archive } = fixture;
      await archive.of('').eraseUser('anna', ERASED_AT);
      const [mine, answer, hers, , later] = dialogue(
        ['my own', 'an answer', 'zebrafish', '', 'heron'],
        'ben',
      );
      const lines = [mine!, answer!, { ...hers!, author: 'anna' }];
      const shared = sessionOf({
        userId: 'ben',
        lines: [...lines, { ...later!, author: 'anna', at: ERASED_AT + 1 }],
      });
      await archive.store(shared);
      const [read] = await archive.of('').read(shared.sessionId);
      expect(read?.lines.map(({ author, content }) => [author, content])).toEqual([
        ['ben', 'my own'],
        [null, 'an answer'],
        [null, ''],
        ['anna', 'heron'],
      ]);
      expect(await everyHit(archive, { text: 'zebrafish', limit: 5 })).toEqual([]);
      expect(await fixture.holds('zebrafish')).not.toBe(true);
    });

    it('an erasure leaves nothing of a session that an instance stores at the same time', async () => {
      const { archive } = fixture;
      const other = await fixture.again();
      const goes = Array.from({ length: 12 }, (_, index) =>
        telling('qcanaryq', { sessionId: `goes-${index}`, userId: `user-${index}` }),
      );
      await Promise.all(
        goes.flatMap((session, index) => [
          other.store(session),
          index % 2 === 0
            ? archive.of('').eraseSession(session.sessionId, ERASED_AT)
            : archive.of('').eraseUser(`user-${index}`, ERASED_AT),
        ]),
      );
      await other.close();
      expect(await everyHit(archive, { text: 'qcanaryq', limit: 20 })).toEqual([]);
      expect(await rowsLeft()).toEqual([0, 0, 0]);
    });

    it('a tombstone goes after a month and contains no name', async () => {
      const { archive, engine } = fixture;
      const notes = () => engine.db.selectFrom('archive_erased').selectAll().execute();
      await archive.of('').eraseUser('qcanaryq', Date.now());
      await archive.of('').eraseSession('qcanaryq', Date.now() - 31 * 24 * HOUR_MS);
      expect(await notes()).toHaveLength(2);
      expect(await fixture.holds('qcanaryq')).not.toBe(true);
      await archive.retire(0);
      expect(await notes()).toHaveLength(1);
    });

    it('retention deletes sessions that ended before a date, in several batches, and none that ended at it', async () => {
      const { archive } = fixture;
      const endedAt = MORNING + HOUR_MS;
      const old = Array.from({ length: 450 }, (_, index) =>
        sessionOf({ createdAt: MORNING + index, endedAt, turns: [turnOf()] }),
      );
      await fill(fixture.engine, old);
      // Some have lines and turns too.
      for (const session of old.slice(0, 20)) await archive.store(session);
      const kept = sessionOf({ sessionId: 'kept', createdAt: MORNING, endedAt: endedAt + 1 });
      await archive.store(kept);
      expect(await archive.retire(endedAt)).toBe(0);
      expect(await archive.retire(endedAt + 1)).toBe(450);
      expect(await everyHit(archive, { limit: 5 })).toEqual(['kept']);
      expect(await rowsLeft()).toEqual([1, kept.lines.length, 0]);
      expect(await archive.retire(endedAt + 1)).toBe(0);
    }, 60_000);
  });
}

/** Integers below a bound, the same in every run. */
function randomOf(seed: number): (bound: number) => number {
  let state = seed;
  return (bound) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * bound);
  };
}
