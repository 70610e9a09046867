/**
 * The id of a message that came with an Idempotency-Key: `key-<digest of the key>.<digest of the request>`.
 *
 * A session accepts one message per key. The digest of the request travels with the id through queue, turn and log, so
 * any instance can tell a repeated request from a different one under the same key.
 */
const KEYED = /^(key-[\w-]{43})\.[\w-]{16}$/;

/** The id under which a session accepts the message once. */
export function takenIdOf(messageId: string): string {
  return KEYED.exec(messageId)?.[1] ?? messageId;
}

export type Match = 'same' | 'other request' | 'none';

/** How the ids of a turn relate to a message. An older version stored keyed messages without the request. */
export function matchOf(messageId: string, ids: readonly string[]): Match {
  const taken = takenIdOf(messageId);
  const found = ids.find((id) => takenIdOf(id) === taken);
  if (found === undefined) return 'none';
  return found === messageId || found === taken ? 'same' : 'other request';
}
