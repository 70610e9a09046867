/**
 * Logs sessions that this instance cannot read, each once: a damaged session that is due is met again by every sweep, and
 * would fill the log until an operator erases it.
 */
import type { Log } from '../../telemetry/log.ts';

/** Beyond so many, older ones are forgotten, and logged again when they are met again. */
const REMEMBERED_MAX = 10_000;

export function unreadableLog(log: Log): (sessionId: string, why: string) => void {
  const logged = new Set<string>();
  return (sessionId, why) => {
    const line = `${sessionId} ${why}`;
    if (logged.has(line)) return;
    logged.add(line);
    if (logged.size > REMEMBERED_MAX) logged.delete(logged.values().next().value ?? '');
    log.error({ sessionId, why }, 'session cannot be read by this instance');
  };
}
