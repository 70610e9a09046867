/** Fixture of the conformance suite for one backing store, and builders for its tests. */

import { randomUUID } from 'node:crypto';
import { expect } from 'vitest';
import type {
  Append,
  Commit,
  CommitOutcome,
  Fence,
  SessionRecord,
  Store,
  StoredFrame,
  StoreOptions,
} from '../../src/store/contract.ts';
import { storedFrame } from '../../src/store/log.ts';

export const OPTIONS: StoreOptions = { leaseMs: 1_500, frameLogMax: 20, inboxMax: 4, historyMax: 5 };

export interface StoreFixture {
  /** Independent handles on one backing store, like those of three instances. */
  readonly stores: readonly [Store, Store, Store];
  /** False for two stores behind one, because each has its own order. */
  readonly sweepsInOrder?: boolean;
  /** True if stored text is about half as long again as its plain text. */
  readonly stretches?: boolean;
  /** The clock of the store's leases. */
  now(): number;
  elapse(ms: number): Promise<void>;
  /** Every stored trace of the session by name, with its remaining ms (null: no limit). */
  traces(sessionId: string): Promise<ReadonlyMap<string, number | null>>;
  stop(): Promise<void>;
}

export type StoreFactory = (options: StoreOptions) => Promise<StoreFixture>;

export const freshId = (prefix = 's'): string => `${prefix}-${randomUUID()}`;

export function frames(after: number, count: number): StoredFrame[] {
  return Array.from({ length: count }, (_, index) => {
    const offset = after + index + 1;
    return storedFrame(offset, JSON.stringify({ offset, text: `frame ${offset}` }));
  });
}

export function commitOf(changes: Partial<Commit> = {}): Commit {
  return {
    writeId: randomUUID(),
    expectedVersion: 0,
    expectedHead: 0,
    snapshot: '{"value":"idle"}',
    frames: [],
    transcript: [],
    messageIds: [],
    inboxTaken: 0,
    dueAt: null,
    index: { state: 'idle', userId: null, createdAt: 1_700_000_000_000 },
    notify: false,
    end: false,
    ...changes,
  };
}

export function appendOf(changes: Partial<Append> = {}): Append {
  return { writeId: randomUUID(), expectedHead: 0, frames: [], inboxTaken: 0, notify: false, ...changes };
}

export async function claimed(
  store: Store,
  sessionId: string,
  instance: string,
): Promise<{ fence: Fence; record: SessionRecord | null }> {
  const outcome = await store.claim(sessionId, instance);
  if (outcome.kind !== 'claimed') throw new Error(`not claimed: ${JSON.stringify(outcome)}`);
  return outcome;
}

export function expectCommitted(outcome: CommitOutcome): void {
  expect(outcome).toMatchObject({ kind: 'committed' });
}

/** A session at version 1, owned by `instance`. */
export async function created(
  store: Store,
  instance: string,
  changes: Partial<Commit> = {},
): Promise<{ sessionId: string; fence: Fence }> {
  const sessionId = freshId();
  const { fence } = await claimed(store, sessionId, instance);
  expectCommitted(await store.commit(fence, commitOf(changes)));
  return { sessionId, fence };
}

/** A session without an owner. */
export async function ownerless(store: Store, changes: Partial<Commit> = {}): Promise<string> {
  const { sessionId, fence } = await created(store, 'former', changes);
  expect(await store.release(fence, false)).toEqual({ kind: 'released' });
  return sessionId;
}

export async function until(condition: () => boolean, withinMs = 30_000): Promise<void> {
  const deadline = Date.now() + withinMs;
  while (!condition()) {
    if (Date.now() > deadline) throw new Error(`not within ${withinMs} ms: ${condition}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
