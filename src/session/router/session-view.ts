/** SessionView is a session as other modules see it: from its actor if it runs here, else from the store. */
import type { SessionContext, TopState } from '../../../machines/vocabulary.ts';
import type { Store } from '../../store/contract.ts';
import type { SessionActor } from '../actor/session-actor.ts';
import { readSnapshot } from '../machine/snapshot.ts';
import { topState } from '../machine/step.ts';

export interface SessionView {
  readonly created: boolean;
  /** Grows with every transition: of two attachments of a client the later one has the higher. */
  readonly version: number;
  readonly state: TopState;
  readonly head: number;
  readonly epoch: number;
  readonly context: SessionContext;
}

export function viewOf(actor: SessionActor, created: boolean): SessionView {
  const { version, head, epoch } = actor;
  const { value, context } = actor.snapshot;
  return { created, version, state: topState(value), head, epoch, context };
}

/** Null if no such session is stored, or none that this version can read. Rejects when the store does. */
export async function readView(store: Store, sessionId: string): Promise<SessionView | null> {
  const record = await store.read(sessionId);
  const read = record === null ? null : readSnapshot(record.snapshot);
  if (record === null || read?.kind !== 'opened') return null;
  const { version, head, epoch } = record;
  const { value, context } = read.snapshot;
  return { created: false, version, state: topState(value), head, epoch, context };
}
