/** ActorHost gives a session actor what it needs from its instance. Callbacks name the session, never the actor. */
import type { SessionEvent } from '../../../machines/vocabulary.ts';
import type { Archive } from '../../archive/archive.ts';
import type { Clock } from '../../clock.ts';
import type { PromptBuilder } from '../../conversation/port.ts';
import type { Generator } from '../../generation/port.ts';
import type { Budgets } from '../../limits/budgets.ts';
import type { Store, StoredFrame } from '../../store/contract.ts';
import type { Log } from '../../telemetry/log.ts';
import type { Outcome } from '../machine/outcome.ts';
import type { FlushSchedule } from '../turn/flush-schedule.ts';

export type StopReason =
  /** The session ended, and its keys are deleted. */
  | 'ended'
  | 'released'
  /** Another instance owns the session. */
  | 'fenced'
  /** The actor's memory of the session is stale. */
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
  /** Stores ended conversations before their keys are deleted; null: no conversation is archived. */
  readonly archive: Archive | null;
  readonly clock: Clock;
  readonly log: Log;
  readonly leaseMs: number;
  /** Records of transitions that the store keeps; 0: the actor writes none. */
  readonly historyMax: number;
  /** Limits of running answers and of tokens; null: none. */
  readonly budgets: Budgets | null;
  /** When the texts of running turns are stored. */
  readonly flushSchedule: FlushSchedule;
  /** Length of waiting text that triggers a write, in UTF-16 units. */
  readonly flushLength: number;
  readonly deliver: (sessionId: string, frames: readonly StoredFrame[]) => void;
  readonly openInboxEntry: (sessionId: string, entry: string) => InboxEntry;
  readonly stopped: (sessionId: string, epoch: number, reason: StopReason) => void;
  readonly committed: (frames: number) => void;
  readonly appended: (frames: number) => void;
  readonly storeFailed: (sessionId: string, error: unknown) => void;
  /** This instance cannot read the stored session. */
  readonly unreadable: (sessionId: string, why: string) => void;
}
