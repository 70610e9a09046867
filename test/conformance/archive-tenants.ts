/** Each tenant of an archive finds, counts and erases only its own conversations, whatever names others use. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { ArchivedSession } from '../../src/archive/archive.ts';
import {
  type ArchiveFactory,
  type ArchiveFixture,
  dialogue,
  ERASED_AT,
  HOUR_MS,
  MORNING,
  sessionOf,
  turnOf,
} from './archive-fixture.ts';

const TENANTS = ['', 'acme', 'acme.eu'] as const;

export function describeTenants(open: ArchiveFactory): void {
  describe('tenants', () => {
    let fixture: ArchiveFixture;
    beforeEach(async () => {
      fixture = await open();
    });
    afterEach(() => fixture.stop());

    /** The same conversation of the same user in every tenant, under ids of their own. */
    async function fillAlike(): Promise<readonly ArchivedSession[]> {
      const sessions = TENANTS.map((tenant, index) =>
        sessionOf({
          tenant,
          sessionId: `of ${tenant}`,
          userId: 'anna',
          diagnosisId: 'I21',
          createdAt: MORNING + index,
          lines: dialogue(['chest pain', 'Rest.', 'and diabetes', 'Rest more.'], 'anna'),
          turns: [turnOf()],
        }),
      );
      for (const session of sessions) await fixture.archive.store(session);
      return sessions;
    }

    it('a tenant of an archive finds and reads its own conversations only', async () => {
      const sessions = await fillAlike();
      const filters = [
        {},
        { userId: 'anna' },
        { diagnosisId: 'I21' },
        { text: 'diabetes' },
        { text: 'diabetes', userId: 'anna', diagnosisId: 'I21' },
      ];
      for (const session of sessions) {
        const own = fixture.archive.of(session.tenant);
        for (const filter of filters) {
          const { hits } = await own.search({ ...filter, limit: 5 });
          expect(hits.map(({ sessionId }) => sessionId)).toEqual([session.sessionId]);
        }
        for (const other of sessions)
          expect(await own.read(other.sessionId)).toEqual(other === session ? [session] : []);
      }
      const nowhere = fixture.archive.of('another');
      expect((await nowhere.search({ text: 'diabetes', limit: 5 })).hits).toEqual([]);
    });

    it('a page of a tenant’s search is full, and its cursor shows another tenant nothing of it', async () => {
      for (let index = 0; index < 12; index += 1)
        await fixture.archive.store(
          sessionOf({ tenant: TENANTS[index % 3] ?? '', createdAt: MORNING + index, sessionId: `s${index}` }),
        );
      const first = await fixture.archive.of('acme').search({ limit: 3 });
      expect(first.hits.map(({ sessionId }) => sessionId)).toEqual(['s10', 's7', 's4']);
      const cursor = first.cursor ?? '';
      const rest = await fixture.archive.of('acme').search({ limit: 3, cursor });
      expect(rest).toMatchObject({ hits: [{ sessionId: 's1' }], cursor: null });
      const theirs = await fixture.archive.of('').search({ limit: 3, cursor });
      expect(theirs.hits.map(({ sessionId }) => sessionId)).toEqual(['s3', 's0']);
    });

    it('the figures of a tenant count its own conversations only', async () => {
      await fillAlike();
      await fixture.archive.store(sessionOf({ tenant: 'acme', createdAt: MORNING + HOUR_MS }));
      expect(await fixture.archive.of('acme').figures({})).toMatchObject({ sessions: 2, turns: 3 });
      expect(await fixture.archive.of('acme.eu').figures({})).toMatchObject({
        sessions: 1,
        turns: 2,
        promptTokens: 100,
        secondTurns: [{ pattern: 'and diabetes', count: 1 }],
      });
      expect(await fixture.archive.of('another').figures({})).toMatchObject({ sessions: 0, secondTurns: [] });
    });

    it('an erasure of a user or a session in one tenant leaves those of the same name in other tenants', async () => {
      const [plain, acme, eu] = await fillAlike();
      const own = fixture.archive.of('acme');
      expect(await own.eraseSession(plain!.sessionId, ERASED_AT)).toBe(0);
      expect(await own.eraseUser('anna', ERASED_AT)).toEqual([acme!.sessionId]);
      expect(await own.read(acme!.sessionId)).toEqual([]);
      expect(await fixture.archive.of('').read(plain!.sessionId)).toEqual([plain]);
      expect(await fixture.archive.of('acme.eu').read(eu!.sessionId)).toEqual([eu]);
    });

    it('an erasure of a user blanks their lines in other users’ sessions of the same tenant only', async () => {
      const [his, , hers] = dialogue(['his words', 'an answer', 'her words'], 'ben');
      const lines = [his!, { ...hers!, author: 'anna' }];
      for (const tenant of ['', 'acme'])
        await fixture.archive.store(sessionOf({ tenant, sessionId: `of ${tenant}`, userId: 'ben', lines }));
      await fixture.archive.of('acme').eraseUser('anna', ERASED_AT);
      const [blanked] = await fixture.archive.of('acme').read('of acme');
      expect(blanked?.lines).toEqual([his, { ...hers, author: null, content: '' }]);
      const [whole] = await fixture.archive.of('').read('of ');
      expect(whole?.lines).toEqual(lines);
    });

    it('a conversation that arrives after an erasure is kept out of its own tenant only', async () => {
      for (const tenant of ['', 'acme']) await fixture.archive.of(tenant).eraseUser('gone', ERASED_AT);
      await fixture.archive.of('acme').eraseUser('anna', ERASED_AT);
      await fixture.archive.of('acme').eraseSession('of acme.eu', ERASED_AT);
      await fillAlike();
      expect((await fixture.archive.of('acme').search({ limit: 5 })).hits).toEqual([]);
      expect((await fixture.archive.of('').search({ limit: 5 })).hits).toHaveLength(1);
      expect((await fixture.archive.of('acme.eu').search({ limit: 5 })).hits).toHaveLength(1);
    });
  });
}
