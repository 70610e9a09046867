/**
 * Searches conversations by words, user, diagnosis and date, newest first.
 *
 *  SEARCH-1  Every query walks one index from the cursor downwards and stops after a page: an index that ends in the
 *            primary key, or the full-text index, which also holds words for tenant, user and diagnosis.
 *  SEARCH-2  A cursor is the number of the last session on the page, so later writes shift no page.
 */
import { sql } from 'kysely';
import type { SearchPage, SearchQuery } from '../archive.ts';
import type { Engine } from '../database/engine.ts';
import { archiveError } from '../database/failure.ts';
import type { Life } from '../field-cipher.ts';
import { firstRowNumber, rowNumberAfter } from '../rows/row-number.ts';
import { HEAD_COLUMNS, headOf, linePlace, storableOrNull } from '../rows/rows.ts';
import { scopeWords, snippetOf, wordsOf } from './search-words.ts';

const PAGE_MAX = 200;
const CURSOR = /^[0-9a-z]{1,11}$/;

export async function search(engine: Engine, tenant: string, query: SearchQuery): Promise<SearchPage> {
  const words = queryWords(query);
  // The text has no searchable word.
  if (words?.length === 0) return { hits: [], cursor: null };
  const limit = pageSize(query);
  const rows = await pageOf(engine, tenant, query).execute();
  const shown = rows.slice(0, limit);
  const hits: SearchPage['hits'][number][] = [];
  for (const row of shown) {
    const snippet = words === null ? null : snippetOf(await contentsOf(engine, row), words);
    hits.push({ ...headOf(row), snippet });
  }
  const last = shown.at(-1);
  return { hits, cursor: rows.length > limit && last !== undefined ? last.n.toString(36) : null };
}

/** Selects one row more than a page, to see if another page follows. */
export function pageOf({ db, dialect, cipher }: Engine, tenant: string, query: SearchQuery) {
  const words = queryWords(query);
  const scope = {
    tenant,
    userId: storableOrNull(query.userId ?? null),
    diagnosisId: storableOrNull(query.diagnosisId ?? null),
  };
  const within = scopeWords(scope);
  const matching =
    words === null ? null : dialect.matching(cipher.marks(words).map((marks) => [...marks, ...within]));
  const joined = matching?.kind === 'joined' ? matching.found : null;
  const place = sql.ref<number>(joined === null ? 's.n' : 'found.n');
  // libsql binds a number as a float, and the full-text index ignores a float as a bound.
  const whole = (value: number) => sql<number>`CAST(${value} AS bigint)`;

  let page = db
    .selectFrom('archived_sessions as s')
    .$if(joined !== null, (rows) => (joined === null ? rows : rows.innerJoin(joined, 'found.n', 's.n')))
    .select(['s.n', ...HEAD_COLUMNS.map((column) => `s.${column}` as const)])
    .where(place, '<', whole(Math.min(rowNumberAfter(query.to), afterCursor(query.cursor))))
    .where(place, '>=', whole(firstRowNumber(query.from)))
    .where('s.tenant', '=', tenant)
    .orderBy(place, 'desc')
    .limit(pageSize(query) + 1);
  if (query.from !== undefined) page = page.where('s.created_at', '>=', Math.ceil(query.from));
  if (query.to !== undefined) page = page.where('s.created_at', '<', Math.ceil(query.to));
  if (matching?.kind === 'filtered') page = page.where(matching.where);
  if (matching !== null) return page;
  if (scope.userId !== null) page = page.where('s.user_id', '=', scope.userId);
  if (scope.diagnosisId !== null) page = page.where('s.diagnosis_id', '=', scope.diagnosisId);
  return page;
}

function queryWords({ text }: SearchQuery): readonly string[] | null {
  return text === undefined || text.trim() === '' ? null : [...new Set(wordsOf(text))];
}

function pageSize({ limit }: SearchQuery): number {
  return Math.min(PAGE_MAX, Math.max(1, Math.floor(limit)));
}

function afterCursor(cursor: string | undefined): number {
  if (cursor === undefined) return Number.MAX_SAFE_INTEGER;
  const place = CURSOR.test(cursor) ? Number.parseInt(cursor, 36) : Number.NaN;
  if (!Number.isSafeInteger(place)) throw archiveError('ARCHIVE_BAD_CURSOR', 'not a cursor of a search');
  return place;
}

async function contentsOf(
  { db, cipher }: Engine,
  row: Life & { readonly n: number },
): Promise<readonly string[]> {
  const lines = await db
    .selectFrom('archived_lines')
    .select(['place', 'content'])
    .where('n', '=', row.n)
    .orderBy('place')
    .execute();
  return lines.map(({ place, content }) => cipher.read(row, linePlace(place), content));
}
