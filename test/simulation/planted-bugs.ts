/**
 * Worlds that are broken on purpose, to show that the simulation would notice. No source is touched: each bug is a
 * store, or something between the store and the instance, that breaks one rule.
 */
import type { Commit } from '../../src/store/contract.ts';
import type { WrapStore } from './sim-node.ts';
import { SOUND } from './store-rules.ts';
import { FAITHFUL, type Variant } from './world.ts';

/** Frames go out as the commit that holds them is sent, not as it is acknowledged. */
const eager: WrapStore = (store, { deliver }) => ({
  ...store,
  commit(fence, commit) {
    const outcome = store.commit(fence, commit);
    deliver(fence.sessionId, commit.frames);
    return outcome;
  },
});

/** With a store that lets entries go as they are read: until they are applied only the reader's memory has them. */
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
