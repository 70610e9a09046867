/**
 * UnreadableLog logs each session that this instance cannot read once. Every sweep meets a damaged session that is due,
 * and would fill the log until an operator erases it.
 */
import { LRUCache } from 'lru-cache';
import type { Log } from '../../telemetry/log.ts';

const REMEMBERED_MAX = 10_000;

export function unreadableLog(log: Log): (sessionId: string, why: string) => void {
  const logged = new LRUCache<string, true>({ max: REMEMBERED_MAX });
  return (sessionId, why) => {
    const line = `${sessionId} ${why}`;
    if (logged.has(line)) return;
    logged.set(line, true);
    log.error({ sessionId, why }, 'session cannot be read by this instance');
  };
}
