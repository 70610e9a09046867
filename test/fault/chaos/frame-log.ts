/** Compares the frame log in Redis with the frames that clients saw. */
import type { Cluster, Redis } from 'ioredis';
import type { DurableFrame } from '../../../src/protocol/server-frames.ts';
import { sessionKeys } from '../../../src/store/redis/keys.ts';

/** Every frame of the session, byte for byte, in order. */
export async function storedFrames(redis: Redis | Cluster, sessionId: string): Promise<readonly string[]> {
  const entries = await redis.xrange(sessionKeys(sessionId).log, '-', '+');
  return entries.map(([, fields]) => fields[fields.indexOf('f') + 1] ?? '');
}

/**
 * Describes how a client's frames differ from the log; null if they are a part of the log without gap or repeat that
 * ends at the log's head.
 */
export function differenceFromLog(
  frames: readonly DurableFrame[],
  log: readonly string[],
  options: { readonly toTheEnd: boolean } = { toTheEnd: true },
): string | null {
  const first = frames[0];
  if (first === undefined) return log.length === 0 ? null : 'nothing was seen';
  const byOffset = new Map(log.map((data) => [(JSON.parse(data) as DurableFrame).offset, data]));
  for (const [index, frame] of frames.entries()) {
    if (frame.offset !== first.offset + index) return `offset ${frame.offset} in place ${index}`;
    const stored = byOffset.get(frame.offset);
    if (stored === undefined) return `offset ${frame.offset} (${frame.type}) is not in the log`;
    if (stored !== JSON.stringify(frame))
      return `offset ${frame.offset} is ${stored} in the log, ${JSON.stringify(frame)} was seen`;
  }
  const head = Math.max(...byOffset.keys());
  const last = first.offset + frames.length - 1;
  return options.toTheEnd && last !== head ? `seen up to ${last}, the log ends at ${head}` : null;
}
