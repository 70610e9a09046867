/**
 * How long a replica that has too much to do is left alone: as long as it asks for, or longer with each attempt.
 *
 * A little chance is added, or all turns that were refused at one moment would come back at one moment.
 */
import type { Failure } from './failure.ts';

const BASE_MS = 500;
const MOST_MS = 10_000;
const SPREAD = 0.25;

/** 0: the failure is no matter of load. `random` is between 0 and 1. */
export function restMsOf({ code, refusal }: Failure, attempt: number, random: () => number): number {
  if (code !== 'upstream_unavailable' || refusal === undefined) return 0;
  const { status, retryAfterMs } = refusal;
  if (retryAfterMs !== null) return retryAfterMs * (1 + SPREAD * random());
  if (status !== 429 && status !== 503) return 0;
  return Math.min(BASE_MS * 2 ** (attempt - 1), MOST_MS) * (1 + SPREAD * random());
}

/** The server lives and says when to come back, or that this client asks too often. */
export function saysWhen({ code, refusal }: Failure): boolean {
  return code === 'upstream_unavailable' && (refusal?.status === 429 || (refusal?.retryAfterMs ?? 0) > 0);
}
