/** The simulated store must keep the contract of the real ones, or the simulation would prove nothing. */
import { randomUUID } from 'node:crypto';
import { bucketOf, type Hint, type Store, type StoreOptions } from '../../../src/store/contract.ts';
import type { StoreFixture } from '../../conformance/store-fixture.ts';
import { describeStore } from '../../conformance/store-suite.ts';
import { SimStore } from './sim-store.ts';
import { type Line, storeHandle } from './store-handle.ts';
import type { StoreWitness } from './store-options.ts';

const unseen: StoreWitness = {
  claimed() {},
  committed() {},
  endedAlready() {},
  appended() {},
  renewed() {},
  released() {},
  pushed() {},
  consumed() {},
  remember: () => () => {},
};

function fixture(options: StoreOptions): StoreFixture {
  let elapsed = 0;
  const now = () => 1_800_000_000_000 + elapsed;
  const ears: { readonly watched: Set<string>; readonly listeners: ((hint: Hint) => void)[] }[] = [];
  const names = new Map<string, (message: string) => void>();
  const server = new SimStore(options, now, unseen, (hint) => {
    for (const { watched, listeners } of ears)
      if (watched.has(hint.sessionId)) for (const listener of listeners) queueMicrotask(() => listener(hint));
  });
  const open = (): Store => {
    const ear = { watched: new Set<string>(), listeners: [] as ((hint: Hint) => void)[] };
    ears.push(ear);
    const line: Line = {
      call: async (_name, _sessionId, work) => work(),
      watch: async (sessionId) => void ear.watched.add(sessionId),
      unwatch: (sessionId) => void ear.watched.delete(sessionId),
      onHint: (listener) => void ear.listeners.push(listener),
      onSignal: async (instance, listener) => void names.set(instance, listener),
      relay: (instance, message) => queueMicrotask(() => names.get(instance)?.(message)),
    };
    return storeHandle({ server, line, options, token: randomUUID, now });
  };

  return {
    stores: [open(), open(), open()],
    now,
    elapse: async (ms) => {
      elapsed += ms;
    },
    async traces(sessionId) {
      const { rows, locks, due } = server.state;
      const found = new Map<string, number | null>();
      const row = rows.get(sessionId);
      const lock = locks.get(sessionId);
      if (row !== undefined && row.expiresAt > now()) found.set('session', row.expiresAt - now());
      if (lock !== undefined && lock.until > now()) found.set('lock', lock.until - now());
      if (due.has(sessionId)) found.set(`due of bucket ${bucketOf(sessionId)}`, null);
      return found;
    },
    async stop() {},
  };
}

describeStore('simulated', async (options) => fixture(options));
