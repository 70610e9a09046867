/** Parses the scripts' replies. A reply that breaks its format is a bug and throws STORE_REPLY. */
import type { LogPage, SessionHistory, SessionRecord, Swept } from '../contract.ts';
import type { TranscriptPage } from '../log.ts';
import { redisError } from './failure.ts';
import { framesOf } from './texts/log-element.ts';
import { longEntry, longSnapshot } from './texts/short-texts.ts';

function unexpected(reply: unknown): Error {
  return redisError('STORE_REPLY', `unexpected reply ${JSON.stringify(reply)?.slice(0, 200)}`);
}

export function integer(reply: unknown): number {
  const value = typeof reply === 'string' ? Number(reply) : reply;
  if (typeof value !== 'number' || !Number.isSafeInteger(value)) throw unexpected(reply);
  return value;
}

export function text(reply: unknown): string {
  if (typeof reply !== 'string') throw unexpected(reply);
  return reply;
}

export function list(reply: unknown): readonly unknown[] {
  if (!Array.isArray(reply)) throw unexpected(reply);
  return reply;
}

export function texts(reply: unknown): readonly string[] {
  return list(reply).map(text);
}

function dueAt(reply: unknown): number | null {
  return reply === '' || reply === null ? null : Number(text(reply));
}

/** {version, epoch, head, due, snapshot, instance, inbox length}, from `read.lua`. */
export function record(reply: unknown): SessionRecord | null {
  if (reply === null) return null;
  const [version, epoch, head, due, snapshot, instance, inboxLength] = list(reply);
  return {
    version: integer(version),
    epoch: integer(epoch),
    head: integer(head),
    snapshot: longSnapshot(text(snapshot)),
    instance: text(instance),
    dueAt: dueAt(due),
    inboxLength: integer(inboxLength),
  };
}

/** {the row of read.lua, texts of records}, from `history.lua`. */
export function sessionHistory(reply: unknown, most: number): SessionHistory | null {
  if (reply === null) return null;
  const [row, history] = list(reply);
  const found = record(row);
  return found === null ? null : { record: found, history: historyRecords(history, most) };
}

/** Texts of one or more lines, from `include/history.lua`; the newest `most` records of them. */
export function historyRecords(reply: unknown, most: number): readonly string[] {
  if (most === 0) return [];
  return texts(reply)
    .flatMap((lines) => lines.split('\n'))
    .slice(-most);
}

/** {head, frames kept, elements from offset `from` on}, from `log.lua`. */
export function logPage(
  reply: unknown,
  from: number,
  { after, limit }: { readonly after: number; readonly limit: number },
): LogPage | null {
  if (reply === null) return null;
  const [headReply, kept, elements] = list(reply);
  const head = integer(headReply);
  const first = head - integer(kept) + 1;
  const read = framesOf(Math.max(first, from), texts(elements));
  return { frames: read.filter(({ offset }) => offset > after).slice(0, limit), first, head };
}

/** {session ids, earliest score, ids of lost sessions}, from `sweep.lua`. */
export function swept(reply: unknown): Swept {
  const [due, nextAt, lost] = list(reply);
  return { due: texts(due), nextAt: dueAt(nextAt), lost: texts(lost) };
}

/** {length, entries after the first `from` ones}, from `transcript.lua`. Null: the transcript is shorter, so it is another. */
export function transcriptPage(reply: unknown, from: number): TranscriptPage | null {
  const [lengthReply, ...entries] = list(reply);
  const length = integer(lengthReply);
  if (length < from) return null;
  const next = from + entries.length;
  return { entries: texts(entries).map(longEntry), next: next < length ? next : null };
}
