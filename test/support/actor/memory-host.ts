/**
 * One instance as a session actor sees it, for tests that want to kill it.
 *
 * The store, the clock and the generator belong to the test and outlive the instance. `settle` waits until nothing
 * is under way any more, so that a test acts on a session at rest; no test waits for a time to pass.
 */

import { setImmediate } from 'node:timers/promises';
import { pino } from 'pino';
import type { Clock } from '../../../src/clock.ts';
import type { Generator } from '../../../src/generation/port.ts';
import type { ActorHost, StopReason } from '../../../src/session/actor/actor-host.ts';
import type { Outcome } from '../../../src/session/machine/outcome.ts';
import { readInboxEntry } from '../../../src/session/router/inbox.ts';
import type { Commit, CommitOutcome, Fence, Store, StoredFrame } from '../../../src/store/contract.ts';
import { wholeConversation } from './ports.ts';

export interface MemoryHostOptions {
  readonly instance: string;
  readonly store: Store;
  readonly clock: Clock;
  readonly generator: Generator;
  readonly leaseMs: number;
  readonly flushMs: number;
  readonly deliver: (frames: readonly StoredFrame[]) => void;
}

/** Where a commit stands when its instance dies: it never reached the store, or its answer never came back. */
export type Death = 'unwritten' | 'unacknowledged';

export interface MemoryHost {
  readonly host: ActorHost;
  /** Why actors stopped here, in order. */
  readonly stops: readonly StopReason[];
  /** The outcomes of inputs that came by the inbox. */
  readonly passed: readonly Outcome[];
  /** The next commit kills the instance; false from the returned function where none came. */
  dieAtNextCommit(death: Death, kill: () => void): () => boolean;
  settle(): Promise<void>;
}

const SILENT = pino({ level: 'silent' });
/** A store is at rest when it was so for this many turns of the event loop: an answer may ask the next question. */
const QUIET_TURNS = 2;

export function openMemoryHost(options: MemoryHostOptions): MemoryHost {
  const stops: StopReason[] = [];
  const passed: Outcome[] = [];
  let calls = 0;
  let dying: { readonly death: Death; readonly kill: () => void } | null = null;

  const counted = <T>(call: () => Promise<T>): Promise<T> => {
    calls += 1;
    return call().finally(() => {
      calls -= 1;
    });
  };
  const { store } = options;
  const commit = async (fence: Fence, write: Commit): Promise<CommitOutcome> => {
    if (dying === null) return store.commit(fence, write);
    const { death, kill } = dying;
    dying = null;
    if (death === 'unacknowledged') await store.commit(fence, write);
    kill();
    throw new Error(`the instance died, its commit ${death}`);
  };
  const watched: Store = {
    ...store,
    claim: (...args) => counted(() => store.claim(...args)),
    commit: (...args) => counted(() => commit(...args)),
    append: (...args) => counted(() => store.append(...args)),
    release: (...args) => counted(() => store.release(...args)),
    readLog: (...args) => counted(() => store.readLog(...args)),
    readTranscript: (...args) => counted(() => store.readTranscript(...args)),
    readInbox: (...args) => counted(() => store.readInbox(...args)),
  };

  return {
    stops,
    passed,
    host: {
      instance: options.instance,
      store: watched,
      clock: options.clock,
      generator: options.generator,
      conversation: wholeConversation,
      archive: null,
      log: SILENT,
      leaseMs: options.leaseMs,
      flushMs: options.flushMs,
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
    async settle() {
      for (let quiet = 0; quiet < QUIET_TURNS; ) {
        await setImmediate();
        quiet = calls === 0 ? quiet + 1 : 0;
      }
    },
  };
}
