import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { SearchQuery } from '../../src/archive/archive.ts';
import { wordsOf } from '../../src/archive/search/search-words.ts';
import {
  type ArchiveFactory,
  type ArchiveFixture,
  blocksOf,
  dialogue,
  everyHit,
  fill,
  MORNING,
  planOf,
  sessionOf,
} from './archive-fixture.ts';

export function describeSearch(open: ArchiveFactory, manySessions: number): void {
  describe('searching', () => {
    let fixture: ArchiveFixture;
    let archive: ArchiveFixture['archive'];
    const chest = sessionOf({
      sessionId: 'chest',
      createdAt: MORNING,
      userId: 'anna',
      diagnosisId: 'I21',
      lines: dialogue([
        'Crushing CHEST pain since 120/80 at Café Zoë',
        'Take Aspirin, 300mg.',
        'And diabetes?',
      ]),
    });
    const knee = sessionOf({
      sessionId: 'knee',
      createdAt: MORNING + 1_000,
      userId: 'anna',
      diagnosisId: 'M17',
      lines: dialogue(['Pain in the knee', 'Ice and rest. Not OR but AND.']),
    });
    const other = sessionOf({
      sessionId: 'other',
      createdAt: MORNING + 2_000,
      userId: 'ben',
      diagnosisId: 'I21',
      lines: dialogue(['chest X-ray, please']),
    });

    beforeAll(async () => {
      fixture = await open();
      archive = fixture.archive;
      for (const session of [knee, chest, other]) await archive.store(session);
    });
    afterAll(() => fixture.stop());

    const found = (query: Partial<SearchQuery>) => everyHit(archive, { limit: 2, ...query });

    it('a search finds conversations with all its words, newest first', async () => {
      expect(await found({ text: 'pain' })).toEqual(['knee', 'chest']);
      expect(await found({ text: 'aspirin chest diabetes' })).toEqual(['chest']);
      expect(await found({ text: 'aspirin knee' })).toEqual([]);
    });

    it('a search ignores case, accents and punctuation', async () => {
      expect(await found({ text: '  ZOE;café\t' })).toEqual(['chest']);
      expect(await found({ text: '120/80' })).toEqual(['chest']);
      expect(await found({ text: '300MG' })).toEqual(['chest']);
      expect(await found({ text: 'x-ray' })).toEqual(['other']);
    });

    it('a search matches whole words only', async () => {
      expect(await found({ text: 'diabet' })).toEqual([]);
      expect(await found({ text: 'hest' })).toEqual([]);
    });

    it('a search filters by user, by diagnosis, by date, and by all of them together', async () => {
      expect(await found({ userId: 'anna' })).toEqual(['knee', 'chest']);
      expect(await found({ diagnosisId: 'I21' })).toEqual(['other', 'chest']);
      expect(await found({ userId: 'anna', diagnosisId: 'I21' })).toEqual(['chest']);
      expect(await found({ userId: 'nobody' })).toEqual([]);
      expect(await found({ from: MORNING + 1_000 })).toEqual(['other', 'knee']);
      expect(await found({ to: MORNING + 1_000 })).toEqual(['chest']);
      expect(await found({ from: MORNING + 1, to: MORNING + 2_000 })).toEqual(['knee']);
      expect(await found({ text: 'chest', userId: 'ben' })).toEqual(['other']);
      expect(await found({ text: 'pain', userId: 'anna', diagnosisId: 'M17', from: MORNING })).toEqual([
        'knee',
      ]);
      expect(await found({ text: 'pain', to: MORNING + 1 })).toEqual(['chest']);
      expect(await found({ text: 'pain', from: MORNING + 1 })).toEqual(['knee']);
    });

    it('a search without words finds everything, and one without searchable words finds nothing', async () => {
      expect(await found({})).toEqual(['other', 'knee', 'chest']);
      expect(await found({ text: '  ' })).toEqual(['other', 'knee', 'chest']);
      expect(await found({ text: '?!' })).toEqual([]);
    });

    it('a search returns no patient and no lines, but a snippet with the words as written', async () => {
      const { hits } = await archive.of('').search({ text: 'zoe diabetes', limit: 5 });
      expect(hits).toHaveLength(1);
      const { snippet, ...head } = hits[0]!;
      const { lines: _lines, turns: _turns, patient: _patient, ...rest } = chest;
      expect(head).toEqual(rest);
      expect(snippet).toContain('Zoë');
      expect(snippet).toContain('diabetes');
      expect((await archive.of('').search({ limit: 1 })).hits[0]?.snippet).toBeNull();
    });

    it.each([
      '"',
      '"chest',
      "chest' OR '1'='1",
      'chest OR knee',
      'chest NOT pain',
      'NEAR(chest pain)',
      'words : chest',
      'che*',
      '^chest',
      '-chest',
      '{words} : chest',
      'chest & !pain | knee:*',
      '\\',
      "'); DROP TABLE archived_sessions; --",
      '$1 ? :name @p',
      '\0chest',
    ])('a search takes the query %j as words, never as operators', async (text) => {
      const expected = [chest, knee, other]
        .filter(({ lines }) => {
          const all = new Set(lines.flatMap(({ content }) => wordsOf(content)));
          return wordsOf(text).length > 0 && wordsOf(text).every((word) => all.has(word));
        })
        .map(({ sessionId }) => sessionId);
      expect((await found({ text })).toSorted()).toEqual(expected.toSorted());
      expect(await found({ userId: text })).toEqual([]);
      expect(await found({ diagnosisId: text })).toEqual([]);
    });

    it('a search does not find a user or a diagnosis by their words in the index', async () => {
      const [row] = await fixture.engine.db.selectFrom('archived_sessions').select('words').execute();
      const scope = row?.words.split(' ').find((word) => word.length > 64);
      expect(scope).toBeDefined();
      expect(await found({ text: scope ?? '' })).toEqual([]);
    });

    it.each(['', 'zz zz', '../..', "1' OR '1", 'zzzzzzzzzzz', '-1'])(
      'a search refuses %j as a cursor',
      async (cursor) => {
        await expect(archive.of('').search({ cursor, limit: 1 })).rejects.toMatchObject({
          code: 'ARCHIVE_BAD_CURSOR',
        });
      },
    );

    it('a page of a search stays within its bounds, whatever limit the caller asks for', async () => {
      expect((await archive.of('').search({ limit: 0 })).hits).toHaveLength(1);
      expect((await archive.of('').search({ limit: -5 })).hits).toHaveLength(1);
      expect((await archive.of('').search({ limit: 1e9 })).hits).toHaveLength(3);
    });
  });

  describe('paging', () => {
    let fixture: ArchiveFixture;
    beforeEach(async () => {
      fixture = await open();
      return () => fixture.stop();
    });

    it('the pages of a search have every session once, while other sessions are stored and erased around the cursor', async () => {
      const { archive } = fixture;
      const sessions = Array.from({ length: 60 }, (_, index) =>
        sessionOf({ sessionId: `s${index}`, createdAt: MORNING + Math.floor(index / 4) }),
      );
      for (const session of sessions) await archive.store(session);
      for (const text of [undefined, 'headache']) {
        const seen: string[] = [];
        for (let cursor: string | undefined, page = 0; ; page += 1) {
          const query = {
            limit: 7,
            ...(text === undefined ? {} : { text }),
            ...(cursor === undefined ? {} : { cursor }),
          };
          const answer = await archive.of('').search(query);
          seen.push(...answer.hits.map(({ sessionId }) => sessionId));
          await archive.store(
            sessionOf({ sessionId: `new-${text}-${page}`, createdAt: MORNING + 1_000 + page }),
          );
          await archive.store(sessions[page]!);
          if (answer.cursor === null) break;
          cursor = answer.cursor;
        }
        const old = seen.filter((id) => !id.startsWith('new-'));
        expect(old.toSorted()).toEqual(sessions.map(({ sessionId }) => sessionId).toSorted());
        expect(new Set(seen).size).toBe(seen.length);
      }
    });
  });

  describe(`${manySessions.toLocaleString('en')} sessions`, () => {
    let fixture: ArchiveFixture;
    beforeAll(async () => {
      fixture = await open();
      const sessions = Array.from({ length: manySessions }, (_, index) =>
        sessionOf({
          sessionId: `s${index}`,
          createdAt: MORNING + index,
          userId: `user-${index % 50}`,
          diagnosisId: `diagnosis-${index % 20}`,
          lines: dialogue([`pain of kind ${index % 100} on day ${index}`]),
        }),
      );
      await fill(fixture.engine, sessions);
    }, 300_000);
    afterAll(() => fixture.stop());

    const queries = [
      { limit: 20 },
      { limit: 20, from: MORNING + 10, to: MORNING + manySessions - 1_000 },
      { limit: 20, userId: 'user-7' },
      { limit: 20, diagnosisId: 'diagnosis-7' },
      { limit: 20, userId: 'user-7', diagnosisId: 'diagnosis-7' },
      { limit: 20, text: 'pain' },
      { limit: 20, text: 'pain', userId: 'user-7' },
      { limit: 20, text: 'kind 7', userId: 'user-7', diagnosisId: 'diagnosis-7', from: MORNING },
    ];

    it.each(queries)('a search reads its first page and a late one from an index: %j', async (query) => {
      const { archive, engine } = fixture;
      const first = await archive.of('').search(query);
      expect(first.hits).toHaveLength(20);
      let late = first;
      for (let page = 0; page < 8; page += 1)
        late = await archive.of('').search({ ...query, cursor: late.cursor ?? '' });
      expect(late.hits).toHaveLength(20);
      for (const cursor of [undefined, late.cursor ?? '']) {
        const plan = await planOf(engine, cursor === undefined ? query : { ...query, cursor });
        if (engine.kind === 'sqlite') expectSqliteIndex(plan, query.text !== undefined);
        else expectPostgresIndex(plan, query.text !== undefined);
      }
      if (engine.kind !== 'postgres') return;
      const [atFirst, later] = [
        await blocksOf(engine, query),
        await blocksOf(engine, { ...query, cursor: late.cursor ?? '' }),
      ];
      process.stdout.write(`${JSON.stringify(query)}: ${atFirst} blocks, on the tenth page ${later}\n`);
      expect(later).toBeLessThanOrEqual(2 * atFirst + 20);
    });

    it('a search over many sessions returns each once, in the order of their beginning', async () => {
      const ids = await everyHit(fixture.archive, { limit: 200 });
      expect(ids).toEqual(Array.from({ length: manySessions }, (_, index) => `s${manySessions - 1 - index}`));
    }, 300_000);
  });
}

/** SCAN is a walk over a whole table, TEMP B-TREE a sort. */
function expectSqliteIndex(plan: string, isFullText: boolean): void {
  // The full-text index: matched (M), and entered between two row numbers (<>).
  const matched = /^SCAN \w+ VIRTUAL TABLE INDEX \d+:[<>]*M\d*[<>]*$/m;
  if (isFullText) expect(plan).toMatch(matched);
  const rest = plan.replace(matched, '').trim();
  expect(rest).toMatch(/^SEARCH s USING [^\n]+$/);
}

/** PostgreSQL's full-text index has no order: a plan may sort only its matches. */
function expectPostgresIndex(plan: string, isFullText: boolean): void {
  const isMatched = isFullText && plan.includes('Bitmap Index Scan on archived_sessions_words');
  expect(plan).not.toContain('Seq Scan');
  if (!isMatched)
    expect(plan).toMatch(/^Limit\n {2}-> {2}Index Scan Backward using \w+ on archived_sessions s\n/);
}
