/**
 * One instance's handle on the simulated store: the contract of `src/store/contract.ts`, cut into the scripts and round
 * trips of the Redis store. What may happen to a round trip is the line's business.
 */
import type {
  Fence,
  Hint,
  Store,
  StoredFrame,
  StoreOptions,
  Swept,
  TranscriptEntry,
} from '../../../src/store/contract.ts';
import type { SimStore } from './sim-store.ts';
import { recordOf } from './store-row.ts';

export type CallName =
  | 'acquire'
  | 'claim'
  | 'holder'
  | 'commit'
  | 'append'
  | 'renew'
  | 'release'
  | 'read'
  | 'readLog'
  | 'readTranscript'
  | 'readHistory'
  | 'push'
  | 'readInbox'
  | 'sweep'
  | 'discard'
  | 'list'
  | 'countByState'
  | 'countOfUser'
  | 'tally'
  | 'export'
  | 'import'
  | 'signal'
  | 'watch'
  | 'heartbeat'
  | 'farewell';

/** The way to the store and back. */
export interface Line {
  /** `work` runs at the store, at the moment at which the request arrives there. */
  call<T>(name: CallName, sessionId: string | null, work: () => T): Promise<T>;
  watch(sessionId: string): Promise<void>;
  unwatch(sessionId: string): void;
  onHint(listener: (hint: Hint) => void): void;
  onSignal(instance: string, listener: (message: string) => void): Promise<void>;
  /** At the store: hands a word to the instance that it is for. */
  relay(instance: string, message: string): void;
}

export interface HandlePorts {
  readonly server: SimStore;
  readonly line: Line;
  readonly options: StoreOptions;
  readonly token: () => string;
  /** The instance's own clock: push and sweep tell the store what time it is. */
  readonly now: () => number;
}

const NOTHING: Promise<Swept> = Promise.resolve({ due: [], nextAt: null, lost: [] });

export function storeHandle({ server, line, options, token, now }: HandlePorts): Store {
  return {
    kind: 'redis',
    async claim(sessionId, instance) {
      const mine = token();
      const taken = await line.call('acquire', sessionId, () => server.acquire(sessionId, mine));
      if (taken) {
        const claimed = await line.call('claim', sessionId, () => server.claim(sessionId, mine, instance));
        if (claimed.kind === 'claimed') {
          const fence: Fence = { sessionId, instance, token: mine, epoch: claimed.epoch };
          const record = claimed.row.version === 0 ? null : recordOf(claimed.row);
          return { kind: 'claimed', fence, record };
        }
      }
      const held = await line.call('holder', sessionId, () => server.holder(sessionId));
      return { kind: 'held', ...held };
    },
    async commit(fence, write) {
      assertContinues(write.expectedHead, write.frames);
      return line.call('commit', fence.sessionId, () => server.commit(fence, write));
    },
    async append(fence, write) {
      assertContinues(write.expectedHead, write.frames);
      return line.call('append', fence.sessionId, () => server.append(fence, write));
    },
    renew: (fence) => line.call('renew', fence.sessionId, () => server.renew(fence)),
    release: (fence, notify) => line.call('release', fence.sessionId, () => server.release(fence, notify)),
    read: (sessionId) =>
      line.call('read', sessionId, () => {
        const row = server.row(sessionId);
        return row === null ? null : recordOf(row);
      }),
    readLog: (sessionId, after, limit) =>
      line.call('readLog', sessionId, () => server.logPage(sessionId, after, limit)),
    readTranscript: (sessionId) =>
      line.call('readTranscript', sessionId, () => {
        const kept: TranscriptEntry[] = [];
        for (const record of server.row(sessionId)?.transcript ?? []) {
          if (!('forget' in record)) kept.push(record);
          else kept.splice(0, kept.length, ...kept.filter(({ turnId }) => turnId !== record.forget));
        }
        return kept;
      }),
    readHistory: (sessionId) =>
      line.call('readHistory', sessionId, () => {
        const row = server.row(sessionId);
        return row === null ? null : { record: recordOf(row), history: row.history };
      }),
    push: (sessionId, entry) => {
      const at = now();
      return line.call('push', sessionId, () => server.push(sessionId, entry, at));
    },
    list: (query) => line.call('list', null, () => server.list(query)),
    countByState: () => line.call('countByState', null, () => server.countByState()),
    countOfUser: (userId, upTo) =>
      line.call('countOfUser', null, () => server.list({ userId, limit: upTo }).sessionIds.length),
    tally: (name, by, expiresAt) => line.call('tally', null, () => server.tally(name, by, expiresAt)),
    export: (sessionId) => line.call('export', sessionId, () => server.export(sessionId)),
    async import(dump, mode) {
      assertContinues(dump.record.head - dump.frames.length, dump.frames);
      return line.call('import', dump.sessionId, () => server.import(dump, mode));
    },
    discard: (sessionId) => line.call('discard', sessionId, () => server.discard(sessionId)),
    readInbox: (sessionId) => line.call('readInbox', sessionId, () => server.readInbox(sessionId)),
    sweep(bucket, at, limit, visibilityMs) {
      // 256 empty round trips per poll would be most of what the simulation does.
      if (server.isUnused(bucket)) return NOTHING;
      return line.call('sweep', null, () => server.sweep(bucket, at, limit, visibilityMs));
    },
    watch: (sessionId) => line.watch(sessionId),
    unwatch: (sessionId) => line.unwatch(sessionId),
    onHint: (listener) => line.onHint(listener),
    signal: (instance, message) => line.call('signal', null, () => line.relay(instance, message)),
    onSignal: (instance, listener) => line.onSignal(instance, listener),
    heartbeat: (instance, ttlMs) => line.call('heartbeat', null, () => server.heartbeat(instance, ttlMs)),
    deregister: (instance) => line.call('farewell', null, () => server.farewell(instance)),
    async notePurge() {},
    async purge() {},
    async health() {
      return { ok: true, kind: 'redis', durability: 'none', detail: `lease ${options.leaseMs} ms` };
    },
    async close() {},
  };
}

function assertContinues(head: number, frames: readonly StoredFrame[]): void {
  for (const [index, frame] of frames.entries()) {
    if (frame.offset !== head + index + 1)
      throw new Error(`frame ${frame.offset} does not continue a log whose head is ${head} (place ${index})`);
  }
}
