/**
 * Planted bugs break worlds on purpose, to show that the simulation notices. No source changes: each bug is a store,
 * or a layer between store and instance, that breaks one rule.
 */
import type { Commit } from '../../src/store/contract.ts';
import { SOUND } from './store/store-options.ts';
import type { WrapStore } from './world/sim-node.ts';
import { FAITHFUL, type Variant } from './world/world.ts';

/** Delivers frames when the commit is sent, not when the store acknowledges it. */
const eager: WrapStore = (store, { deliver }) => ({
  ...store,
  commit(fence, commit) {
    const outcome = store.commit(fence, commit);
    deliver(fence.sessionId, commit.frames);
    return outcome;
  },
});

/** For a store that drops inbox entries when they are read: until a write applies them, only the reader has them. */
const forgetful: WrapStore = (store, { consumed }) => {
  const read = new Map<string, string[]>();
  const inMemory = (sessionId: string): string[] => {
    const entries = read.get(sessionId) ?? [];
    read.set(sessionId, entries);
    return entries;
  };
  const applied = (sessionId: string, write: Pick<Commit, 'inboxTaken'>) =>
    consumed(sessionId, inMemory(sessionId).splice(0, write.inboxTaken));
  return {
    ...store,
    async claim(sessionId, instance) {
      read.delete(sessionId);
      return store.claim(sessionId, instance);
    },
    async readInbox(sessionId) {
      const entries = inMemory(sessionId);
      entries.push(...(await store.readInbox(sessionId)));
      return [...entries];
    },
    async commit(fence, commit) {
      const outcome = await store.commit(fence, { ...commit, inboxTaken: 0 });
      if (outcome.kind !== 'committed') return outcome;
      applied(fence.sessionId, commit);
      return { ...outcome, inboxLength: outcome.inboxLength + inMemory(fence.sessionId).length };
    },
    async append(fence, append) {
      const outcome = await store.append(fence, { ...append, inboxTaken: 0 });
      if (outcome.kind !== 'committed') return outcome;
      applied(fence.sessionId, append);
      return { ...outcome, inboxLength: outcome.inboxLength + inMemory(fence.sessionId).length };
    },
    async renew(fence) {
      const outcome = await store.renew(fence);
      if (outcome.kind !== 'renewed') return outcome;
      return { ...outcome, inboxLength: outcome.inboxLength + inMemory(fence.sessionId).length };
    },
  };
};

export const plantedBugs = {
  'the fence is not checked': { ...FAITHFUL, rules: { ...SOUND, checksFence: false } },
  'the output gate is open': { ...FAITHFUL, wrap: eager },
  'the inbox is acknowledged when it is read': { rules: { ...SOUND, keepsInbox: false }, wrap: forgetful },
  'epochs are only counted': { ...FAITHFUL, rules: { ...SOUND, datesEpochs: false } },
} as const satisfies Record<string, Variant>;
