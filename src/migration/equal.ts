import type { SessionDump } from '../store/contract.ts';

/** All that is stored of a session as one text, its parts in one order: equal sessions have equal texts. */
function bytesOf({ sessionId, record, index, frames, transcript, inbox, messageIds }: SessionDump): string {
  const { version, epoch, head, snapshot, instance, dueAt } = record;
  const { state, userId, createdAt } = index;
  return JSON.stringify([
    [sessionId, version, epoch, head, snapshot, instance, dueAt],
    [state, userId, createdAt],
    frames.map(({ offset, data, aux }) => [offset, data, aux ?? null]),
    transcript.map((entry) => JSON.stringify(entry)),
    inbox,
    messageIds,
  ]);
}

export function isEqual(one: SessionDump, other: SessionDump | null): boolean {
  return other !== null && bytesOf(one) === bytesOf(other);
}
