import type { SessionDump, Store } from '../store/contract.ts';

export type RemovedSource = 'removed' | 'inUse' | 'changed';

const INSTANCE = 'migration';

/** Ends a session in a store if it still is what the dump says; its copy is elsewhere, so nobody is told. */
export async function removeSource(
  store: Store,
  { sessionId, record, index }: SessionDump,
): Promise<RemovedSource> {
  const claim = await store.claim(sessionId, INSTANCE);
  if (claim.kind === 'held') return 'inUse';
  const { fence, record: now } = claim;
  if (now === null) {
    await store.release(fence, false);
    return 'removed';
  }
  const isSame =
    now.version === record.version && now.head === record.head && now.inboxLength === record.inboxLength;
  if (!isSame) {
    await store.release(fence, false);
    return 'changed';
  }
  const { kind } = await store.commit(fence, {
    writeId: `${fence.token}.take-out`,
    expectedVersion: now.version,
    expectedHead: now.head,
    snapshot: now.snapshot,
    frames: [],
    transcript: [],
    messageIds: [],
    inboxTaken: 0,
    dueAt: null,
    index,
    notify: false,
    end: true,
  });
  return kind === 'committed' ? 'removed' : 'changed';
}
