/**
 * exportPieces writes one page of the archive as JSON. A page of short conversations is read before it is written. Of a long
 * page one conversation after the other is read once the client has taken those before it.
 */
import type { ArchivedSession, SearchPage, TenantArchive } from '../../archive/archive.ts';
import { Refusal } from '../core/answer.ts';
import { jsonPieces } from '../core/json-pieces.ts';
import { type LongReads, PIECE_LENGTH } from '../core/long-reads.ts';
import { archivedWhole } from './archived-session.ts';
import { refuseArchive } from './refuse-archive.ts';

export async function exportPieces(
  archive: Pick<TenantArchive, 'read'>,
  longReads: LongReads,
  { hits, cursor }: SearchPage,
  forOwner: boolean,
): Promise<Iterable<string> | AsyncIterable<string>> {
  const readLife = async ({ sessionId, createdAt }: SearchPage['hits'][number]) => {
    const lives = await longReads.readOn(() => archive.read(sessionId).catch(refuseArchive));
    return lives.find((life) => life.createdAt === createdAt);
  };
  const early: ArchivedSession[] = [];
  const rest = [...hits];
  for (let length = 0; length < PIECE_LENGTH; ) {
    const hit = rest.shift();
    if (hit === undefined) break;
    const life = await readLife(hit);
    if (life === undefined) continue;
    early.push(life);
    length += lengthOf(life);
  }
  if (rest.length === 0)
    return jsonPieces({
      count: early.length,
      sessions: early.map((life) => archivedWhole(life, forOwner)),
      cursor,
    });

  return (async function* () {
    yield `{"count":${early.length + rest.length},"sessions":[`;
    let before = '';
    for (const life of early.splice(0)) {
      yield before;
      yield* jsonPieces(archivedWhole(life, forOwner));
      before = ',';
    }
    for (const hit of rest) {
      const life = await readLife(hit);
      // Erased meanwhile, but the count is written: the client must not take a shorter page for the whole.
      if (life === undefined) throw new Refusal('archive_unavailable');
      yield before;
      yield* jsonPieces(archivedWhole(life, forOwner));
    }
    yield `],"cursor":${JSON.stringify(cursor)}}`;
  })();
}

function lengthOf({ lines }: ArchivedSession): number {
  return lines.reduce((sum, { content }) => sum + content.length, 0);
}
