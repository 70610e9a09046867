/**
 * Exports and imports whole sessions. A long log arrives in parts, which wait beside the session under a lock until the
 * last call puts everything in place atomically.
 */
import { randomUUID } from 'node:crypto';
import {
  HISTORY_MAX,
  type ImportMode,
  type ImportOutcome,
  type LogPage,
  type SessionDump,
  type SessionIndex,
  type StoredFrame,
  type StoreOptions,
  type TranscriptRecord,
} from '../contract.ts';
import { assertContinues } from '../log.ts';
import type { Argument, Batch } from './batch.ts';
import { redisError } from './failure.ts';
import { sessionKeys } from './keys.ts';
import { listedAs } from './listing.ts';
import { historyRecords, integer, list, logPage, record, texts } from './replies.ts';
import { scripts } from './scripts.ts';
import { elementsOf, framesOf, readingFrom } from './texts/log-element.ts';
import { longEntry, shortEntry, shortSnapshot } from './texts/short-texts.ts';

const FRAMES_PER_CALL = 1_000;
/** Attempts to export a session whose log commits trim meanwhile. */
const TRIES = 5;

export async function exportSession(
  batch: Batch,
  { historyMax = HISTORY_MAX }: StoreOptions,
  sessionId: string,
): Promise<SessionDump | null> {
  const { session, lock, log, transcript, inbox, listing, history, pages } = sessionKeys(sessionId);
  for (let attempt = 0; attempt < TRIES; attempt += 1) {
    const keys = [session, lock, log, transcript, inbox, listing, history, pages];
    const reply = await batch.call(scripts.export, keys, [sessionId, FRAMES_PER_CALL]);
    if (reply === null) return null;
    const [row, entry, held, ids, transcriptEntries, inboxEntries, records, kept, elements] = list(reply);
    const found = record(row);
    if (found === null) return null;
    const start = framesOf(found.head - integer(kept) + 1, texts(elements));
    const frames = await restOfLog(batch, sessionId, found.head, start);
    if (frames === null) continue;
    return {
      sessionId,
      record: found,
      index: indexOf(entry),
      frames,
      transcript: texts(transcriptEntries).map((text) => JSON.parse(longEntry(text)) as TranscriptRecord),
      inbox: texts(inboxEntries),
      history: historyRecords(records, historyMax),
      messageIds: texts(ids).toSorted(),
      held: held === '1',
    };
  }
  throw redisError('STORE_UNAVAILABLE', 'the session changes faster than an export can read it');
}

export async function readPage(
  batch: Batch,
  sessionId: string,
  after: number,
  limit: number,
): Promise<LogPage | null> {
  const { session, log } = sessionKeys(sessionId);
  const from = readingFrom(after + 1);
  const count = limit === 0 ? 0 : limit + after + 1 - from;
  return logPage(await batch.call(scripts.log, [session, log], [from, count]), from, { after, limit });
}

/** Null if a commit trimmed the log, or the session ended, during the export. */
async function restOfLog(
  batch: Batch,
  sessionId: string,
  head: number,
  first: readonly StoredFrame[],
): Promise<readonly StoredFrame[] | null> {
  const frames = [...first];
  for (let after = first.at(-1)?.offset ?? head; after < head; ) {
    const page = await readPage(batch, sessionId, after, FRAMES_PER_CALL);
    const last = page?.frames.at(-1);
    if (page?.frames[0]?.offset !== after + 1 || last === undefined) return null;
    frames.push(...page.frames.filter(({ offset }) => offset <= head));
    after = last.offset;
  }
  return frames;
}

/** Parses an entry of the listing. A session that is older than listings has none until its next commit. */
function indexOf(entry: unknown): SessionIndex {
  const found = typeof entry === 'string' ? /^(\d+) ([^ ]*)( ?)(.*)$/s.exec(entry) : null;
  if (found === null) return { state: 'unknown', userId: null, createdAt: 0 };
  const [, createdAt, state = '', named, userId = ''] = found;
  return { state, userId: named === ' ' ? userId : null, createdAt: Number(createdAt) };
}

export async function importSession(
  batch: Batch,
  { leaseMs, historyMax = HISTORY_MAX }: StoreOptions,
  dump: SessionDump,
  mode: ImportMode,
): Promise<ImportOutcome> {
  const { sessionId, frames, transcript, inbox, history, messageIds } = dump;
  const { version, epoch, head, snapshot, instance, dueAt } = dump.record;
  assertContinues(head - frames.length, frames);
  const keys = sessionKeys(sessionId);
  const replaces = mode === 'replace' ? '1' : '0';
  const isLong = frames.length > FRAMES_PER_CALL;
  const token = isLong ? `import-${randomUUID()}` : '';
  for (let from = 0; isLong && from < frames.length; from += FRAMES_PER_CALL) {
    const part = frames.slice(from, from + FRAMES_PER_CALL);
    const args = [token, replaces, leaseMs, from, ...elementsOf(part).elements];
    const staged = await batch.call(scripts.stage, [keys.session, keys.lock, keys.stage], args);
    if (staged !== 'staged') return outcomeOf(staged);
  }
  // A sweeper must find waiting input.
  const wakeAt = inbox.length > 0 ? Math.min(dueAt ?? Date.now(), Date.now()) : dueAt;
  const args: Argument[] = [
    sessionId,
    token,
    replaces,
    version,
    epoch,
    head,
    shortSnapshot(snapshot),
    instance,
    dueAt ?? '',
    wakeAt ?? '',
    listedAs(dump.index),
    isLong ? frames.length : 0,
    messageIds.length,
    transcript.length,
    inbox.length,
    history.length,
    historyMax,
    ...messageIds,
    ...transcript.map((entry) => shortEntry(JSON.stringify(entry))),
    ...inbox,
    ...history,
    ...(isLong ? [] : elementsOf(frames).elements),
  ];
  const { session, lock, log, due, listing, stage } = keys;
  const places = [
    session,
    lock,
    log,
    keys.transcript,
    keys.inbox,
    due,
    listing,
    stage,
    keys.history,
    keys.pages,
  ];
  return outcomeOf(await batch.call(scripts.import, places, args));
}

function outcomeOf(reply: unknown): ImportOutcome {
  if (reply === 'imported' || reply === 'exists' || reply === 'held') return { kind: reply };
  throw redisError('STORE_TIMEOUT', 'the import took longer than its lock, so its parts are gone');
}
