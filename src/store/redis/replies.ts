/** The scripts' replies, read strictly: what a script does not promise is a bug and is said, not guessed at. */
import type { LogPage, SessionRecord, StoredFrame, Swept } from '../contract.ts';
import { storeError } from './failure.ts';

function unexpected(reply: unknown): Error {
  return storeError('STORE_REPLY', `unexpected reply ${JSON.stringify(reply)?.slice(0, 200)}`);
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

/** {epoch, version, head, due, snapshot, inbox length}, as `claim.lua` gives it. */
export function claimedRecord(reply: readonly unknown[], instance: string): SessionRecord | null {
  const [epoch, version, head, due, snapshot, inboxLength] = reply;
  if (reply.length === 1) return null;
  return {
    version: integer(version),
    epoch: integer(epoch),
    head: integer(head),
    snapshot: text(snapshot),
    instance,
    dueAt: dueAt(due),
    inboxLength: integer(inboxLength),
  };
}

/** {version, epoch, head, due, snapshot, instance, inbox length}, as `read.lua` gives it. */
export function record(reply: unknown): SessionRecord | null {
  if (reply === null) return null;
  const [version, epoch, head, due, snapshot, instance, inboxLength] = list(reply);
  return {
    version: integer(version),
    epoch: integer(epoch),
    head: integer(head),
    snapshot: text(snapshot),
    instance: text(instance),
    dueAt: dueAt(due),
    inboxLength: integer(inboxLength),
  };
}

/** {head, frames kept, entries}, as `log.lua` gives it. */
export function logPage(reply: unknown): LogPage | null {
  if (reply === null) return null;
  const [head, kept, entries] = list(reply);
  return {
    frames: list(entries).map(frame),
    first: integer(head) - integer(kept) + 1,
    head: integer(head),
  };
}

/** {session ids, earliest score, ids of lost sessions}, as `sweep.lua` gives it. */
export function swept(reply: unknown): Swept {
  const [due, nextAt, lost] = list(reply);
  return { due: texts(due), nextAt: dueAt(nextAt), lost: texts(lost) };
}

export function frame(entry: unknown): StoredFrame {
  const [id, fields] = list(entry);
  const [, data, , aux] = list(fields);
  const offset = Number.parseInt(text(id), 10);
  return aux === undefined ? { offset, data: text(data) } : { offset, data: text(data), aux: text(aux) };
}
