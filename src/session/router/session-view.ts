/** A session as others are told of it: from its actor where it lives here, else as it is stored. */
import type { SessionContext, TopState } from '../../../machines/vocabulary.ts';
import type { Store } from '../../store/contract.ts';
import type { SessionActor } from '../actor/session-actor.ts';
import { readSnapshot } from '../machine/snapshot.ts';
import { topState } from '../machine/step.ts';

export interface SessionView {
  readonly created: boolean;
  /** Grows with every transition: of two arrivals of a client the later one has the higher. */
  readonly version: number;
  readonly state: TopState;
  readonly head: number;
  readonly epoch: number;
  readonly context: SessionContext;
}

export function viewOf(actor: SessionActor, created: boolean): SessionView {
  const { value, context } = actor.snapshot;
  return {
    created,
    version: actor.version,
    state: topState(value),
    head: actor.head,
    epoch: actor.epoch,
    context,
  };
}

/** Null where there is no such session, or none that this version can read. Rejects when the store does. */
export async function readView(store: Store, sessionId: string): Promise<SessionView | null> {
  const record = await store.read(sessionId);
  const opened = record === null ? null : readSnapshot(record.snapshot);
  if (record === null || opened?.kind !== 'opened') return null;
  const { value, context } = opened.envelope;
  return {
    created: false,
    version: record.version,
    state: topState(value),
    head: record.head,
    epoch: record.epoch,
    context,
  };
}
