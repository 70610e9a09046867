/** What a session actor needs of the instance that it lives on. */
import type { SessionEvent } from '../../../machines/vocabulary.ts';
import type { Archive } from '../../archive/archive.ts';
import type { Clock } from '../../clock.ts';
import type { PromptBuilder } from '../../conversation/port.ts';
import type { Generator } from '../../generation/port.ts';
import type { Store, StoredFrame } from '../../store/contract.ts';
import type { Log } from '../../telemetry/log.ts';
import type { Outcome } from '../machine/outcome.ts';
import type { SessionActor } from './session-actor.ts';

export type StopReason =
  /** The session is over and gone. */
  | 'ended'
  | 'released'
  /** Another instance owns the session. */
  | 'fenced'
  /** Our memory of it is stale. */
  | 'conflict'
  /** The store did not answer within a lease. */
  | 'lost'
  | 'crashed';

export interface InboxEntry {
  readonly event: SessionEvent;
  readonly settle: (outcome: Outcome) => void;
}

export interface ActorHost {
  readonly instance: string;
  readonly store: Store;
  readonly generator: Generator;
  readonly conversation: PromptBuilder;
  /** Where conversations go before their keys do; null where nothing is kept. */
  readonly archive: Archive | null;
  readonly clock: Clock;
  readonly log: Log;
  readonly leaseMs: number;
  /** Text of a running turn is stored at least this often, or once this much of it waits (UTF-16 units). */
  readonly flushMs: number;
  readonly flushLength: number;
  deliver(sessionId: string, frames: readonly StoredFrame[]): void;
  openInboxEntry(sessionId: string, entry: string): InboxEntry;
  stopped(actor: SessionActor, reason: StopReason): void;
  committed(actor: SessionActor, frames: number): void;
  appended(actor: SessionActor, frames: number): void;
  storeFailed(actor: SessionActor, error: unknown): void;
  /** What is stored of the session cannot be read by this instance. */
  unreadable(sessionId: string, why: string): void;
}
