/**
 * Lists and counts sessions, bucket by bucket. A page reads a few buckets in one write, then more until it is full. It
 * reads each bucket at most once, so its cost does not grow with the number of sessions.
 */

import { BUCKETS, type ListQuery, type SessionIndex, type SessionPage } from '../contract.ts';
import { type CursorPart, readCursor, unknownCursor, writeCursor } from '../cursor.ts';
import type { Batch } from './batch.ts';
import { bucketKeys } from './keys.ts';
import { integer, list, text, texts } from './replies.ts';
import { scripts } from './scripts.ts';

const FIRST_WAVE = 4;
const CREATED_DIGITS = 15;
const LISTINGS: readonly string[] = Array.from(
  { length: BUCKETS },
  (_, bucket) => bucketKeys(bucket).listing,
);

/** The session's entry in the listing of its bucket. */
export function listedAs({ state, userId, createdAt }: SessionIndex): string {
  const created = String(Math.trunc(createdAt)).padStart(CREATED_DIGITS, '0');
  return userId === null ? `${created} ${state}` : `${created} ${state} ${userId}`;
}

export async function listSessions(batch: Batch, query: ListQuery): Promise<SessionPage> {
  const { limit, states } = query;
  const [start, after] = startOf(query);
  // The script takes no states for any state.
  if (states?.length === 0) return { sessionIds: [], cursor: null };
  const sessionIds: string[] = [];
  for (let bucket = start, wave = FIRST_WAVE; bucket < BUCKETS; ) {
    const buckets = Array.from({ length: Math.min(wave, BUCKETS - bucket) }, (_, n) => bucket + n);
    const wanted = limit - sessionIds.length;
    const pages = await Promise.all(
      buckets.map((one) => pageOf(batch, one, query, one === start ? after : '', wanted)),
    );
    for (const [index, members] of pages.entries()) {
      for (const member of members) {
        sessionIds.push(member.slice(CREATED_DIGITS + 1));
        if (sessionIds.length === limit) return { sessionIds, cursor: writeCursor([bucket + index, member]) };
      }
    }
    bucket += buckets.length;
    wave = nextWave(wave, sessionIds.length, bucket - start, limit - sessionIds.length);
  }
  return { sessionIds, cursor: null };
}

/** The number of buckets to read next: enough by the density so far, and at least twice as many as before. */
function nextWave(wave: number, found: number, asked: number, wanted: number): number {
  return found === 0 ? BUCKETS : Math.max(2 * wave, Math.ceil((asked / found) * wanted));
}

function startOf({ cursor }: ListQuery): readonly [number, string] {
  const [bucket, member]: readonly CursorPart[] =
    cursor === undefined ? [0, ''] : readCursor(cursor, ['number', 'string']);
  // A forged cursor far below zero would cost a call for every bucket up to zero.
  if (!Number.isInteger(bucket) || Number(bucket) < 0) throw unknownCursor();
  return [Number(bucket), String(member)];
}

async function pageOf(
  batch: Batch,
  bucket: number,
  { states, userId }: ListQuery,
  after: string,
  limit: number,
): Promise<readonly string[]> {
  const { listing, channel, sessionPrefix } = bucketKeys(bucket);
  const wanted = states?.join(' ') ?? '';
  const args = [wanted, userId === undefined ? '0' : '1', userId ?? '', after, limit, sessionPrefix];
  return texts(await batch.call(scripts.page, [listing, channel], args));
}

export async function countByState(batch: Batch): Promise<Readonly<Record<string, number>>> {
  const replies = await Promise.all(LISTINGS.map((listing) => batch.call(scripts.count, [listing], [])));
  const counts: Record<string, number> = {};
  for (const reply of replies.map(list)) {
    for (let index = 0; index < reply.length; index += 2) {
      const state = text(reply[index]);
      const sessions = integer(reply[index + 1]);
      if (sessions > 0) counts[state] = (counts[state] ?? 0) + sessions;
    }
  }
  return counts;
}

/** One script call; on a cluster one call per bucket, because a script may use one slot only. */
export async function countOfUser(
  batch: Batch,
  isSlotted: boolean,
  userId: string,
  upTo: number,
): Promise<number> {
  const calls = isSlotted ? LISTINGS.map((listing) => [listing]) : [LISTINGS];
  const replies = await Promise.all(calls.map((keys) => batch.call(scripts.users, keys, [userId, upTo])));
  return replies.map(integer).reduce((sum, sessions) => sum + sessions, 0);
}
