/**
 * Lists the texts that the archive seals, as its rows hold them, in pages along the primary keys. The words of a row have no
 * entry of their own: `sessionRow` hashes them with the key that seals the row's patient.
 */
import type { StoredText } from '../sealing/sealer.ts';
import type { Engine } from './database/engine.ts';
import { PATTERNS, scopeOf } from './field-cipher.ts';
import { HISTORY, linePlace } from './rows/rows.ts';

const ROWS_PER_PAGE = 500;

export async function* textsOfArchive({ db }: Pick<Engine, 'db'>): AsyncGenerator<readonly StoredText[]> {
  for (let after = -1; ; ) {
    const rows = await db
      .selectFrom('archived_sessions')
      .select(['n', 'session_id', 'created_at', 'patient', 'second_question', 'history'])
      .where('n', '>', after)
      .orderBy('n')
      .limit(ROWS_PER_PAGE)
      .execute();
    const last = rows.at(-1);
    if (last === undefined) break;
    yield rows.flatMap((row) => [
      { scope: scopeOf(row), place: 'patient', stored: row.patient },
      ...(row.second_question === null
        ? []
        : [{ scope: PATTERNS, place: PATTERNS, stored: row.second_question }]),
      ...(row.history === null ? [] : [{ scope: scopeOf(row), place: HISTORY, stored: row.history }]),
    ]);
    for (const row of rows) yield* textsOfLines(db, row);
    after = last.n;
  }
}

async function* textsOfLines(
  db: Engine['db'],
  row: { readonly n: number; readonly session_id: string; readonly created_at: number },
): AsyncGenerator<readonly StoredText[]> {
  const scope = scopeOf(row);
  for (let after = -1; ; ) {
    const lines = await db
      .selectFrom('archived_lines')
      .select(['place', 'content'])
      .where('n', '=', row.n)
      .where('place', '>', after)
      .orderBy('place')
      .limit(ROWS_PER_PAGE)
      .execute();
    const last = lines.at(-1);
    if (last === undefined) return;
    yield lines.map(({ place, content }) => ({ scope, place: linePlace(place), stored: content }));
    if (lines.length < ROWS_PER_PAGE) return;
    after = last.place;
  }
}
