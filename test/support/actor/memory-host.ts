/**
 * MemoryHost is one instance as a session actor sees it, so that a test can kill it. The store, the clock and the
 * generator belong to the test and outlive the instance.
 */

import { pino } from 'pino';
import type { Clock } from '../../../src/clock.ts';
import type { Generator } from '../../../src/generation/port.ts';
import type { ActorHost, StopReason } from '../../../src/session/actor/actor-host.ts';
import type { Outcome } from '../../../src/session/machine/outcome.ts';
import { readInboxEntry } from '../../../src/session/router/inbox.ts';
import { FlushSchedule } from '../../../src/session/turn/flush-schedule.ts';
import {
  type Commit,
  type CommitOutcome,
  type Fence,
  HISTORY_MAX,
  type Store,
  type StoredFrame,
} from '../../../src/store/contract.ts';
import { watchStore, wholeConversation } from './ports.ts';

export interface MemoryHostOptions {
  readonly instance: string;
  readonly store: Store;
  readonly clock: Clock;
  readonly generator: Generator;
  readonly leaseMs: number;
  readonly flushMs: number;
  readonly deliver: (frames: readonly StoredFrame[]) => void;
}

/** The state of a commit when its instance dies: it did not reach the store, or its answer did not come back. */
export type Death = 'unwritten' | 'unacknowledged';

export interface MemoryHost {
  readonly host: ActorHost;
  /** The reasons for which actors stopped, in order. */
  readonly stops: readonly StopReason[];
  /** The outcomes of events from the inbox. */
  readonly passed: readonly Outcome[];
  /** The next commit kills the instance; the returned function says whether a commit came. */
  dieAtNextCommit(death: Death, kill: () => void): () => boolean;
  settle(): Promise<void>;
}

const SILENT = pino({ level: 'silent' });

export function openMemoryHost(options: MemoryHostOptions): MemoryHost {
  const stops: StopReason[] = [];
  const passed: Outcome[] = [];
  let dying: { readonly death: Death; readonly kill: () => void } | null = null;

  const { store } = options;
  const commit = async (fence: Fence, write: Commit): Promise<CommitOutcome> => {
    if (dying === null) return store.commit(fence, write);
    const { death, kill } = dying;
    dying = null;
    if (death === 'unacknowledged') await store.commit(fence, write);
    kill();
    throw new Error(`the instance died, its commit ${death}`);
  };
  const watched = watchStore({ ...store, commit });

  return {
    stops,
    passed,
    host: {
      instance: options.instance,
      store: watched.store,
      clock: options.clock,
      generator: options.generator,
      conversation: wholeConversation,
      archive: null,
      log: SILENT,
      leaseMs: options.leaseMs,
      historyMax: HISTORY_MAX,
      budgets: null,
      flushSchedule: new FlushSchedule(options.clock, options.flushMs),
      flushLength: 1_024,
      deliver: (_, frames) => options.deliver(frames),
      openInboxEntry: (_, entry) => {
        const read = readInboxEntry(entry);
        if (read === null) throw new Error(`not an inbox entry: ${entry}`);
        return { event: read.event, settle: (outcome) => void passed.push(outcome) };
      },
      stopped: (_sessionId, _epoch, reason) => void stops.push(reason),
      committed() {},
      appended() {},
      storeFailed() {},
      unreadable() {},
    },
    dieAtNextCommit(death, kill) {
      let died = false;
      dying = {
        death,
        kill() {
          died = true;
          kill();
        },
      };
      return () => {
        dying = null;
        return died;
      };
    },
    settle: watched.settle,
  };
}
