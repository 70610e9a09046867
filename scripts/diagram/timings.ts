// Computes the durations of the chart's delays under the default settings, with the chart's own functions.

import { firstContext } from '../../machines/context.ts';
import { deadlines } from '../../machines/deadlines.ts';
import type { SessionContext, SessionEvent, Turn } from '../../machines/vocabulary.ts';
import { readConfig } from '../../src/config/config.ts';

/** A duration, or several for a delay that grows, by the delay's name. */
export type Timings = Readonly<Record<string, string>>;

export function defaultTimings(): Timings {
  const { limits } = readConfig({}).session;
  const begun = firstContext({
    sessionId: 's',
    instance: 'i',
    clientId: null,
    userId: null,
    diagnosisId: null,
    at: 0,
    limits,
  });
  const event = { type: 'xstate.error.actor.generation', at: 0, error: {} } as unknown as SessionEvent;
  // The first attempt has no wait before it.
  const attempts = Array.from({ length: limits.attemptsMax - 1 }, (_, index) => index + 2);
  return Object.fromEntries(
    Object.entries(deadlines).map(([name, delay]) => {
      const waits = attempts.map((attempt) => delay({ context: trying(begun, attempt), event }));
      return [name, [...new Set(waits)].map(inUnits).join(', then ')];
    }),
  );
}

function trying(context: SessionContext, attempt: number): SessionContext {
  const counts = { attempt, resumed: 0, failedReplica: null };
  const turn: Turn = { id: 't', messageIds: ['m'], options: {}, ...counts };
  return { ...context, turn };
}

const UNITS = [
  [3_600_000, 'h'],
  [60_000, 'min'],
  [1_000, 's'],
] as const;

function inUnits(ms: number): string {
  const parts: string[] = [];
  let rest = ms;
  for (const [size, unit] of UNITS) {
    const count = Math.floor(rest / size);
    if (count > 0) parts.push(`${count} ${unit}`);
    rest -= count * size;
  }
  if (rest > 0 || parts.length === 0) parts.push(`${rest} ms`);
  return parts.join(' ');
}
