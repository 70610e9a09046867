/**
 * The circuit of one replica: after some failures in a row it is left alone for a while, then one request
 * may try. Without it every session pays a first-token timeout to find out what the last one found out.
 *
 * C1  In half-open one trial runs at a time; a trial that ends without a verdict lets the next one try.
 * C2  Each opening without a success between lasts twice as long as the one before, up to a limit.
 */
export type Circuit =
  | { readonly kind: 'closed'; readonly failures: number }
  | { readonly kind: 'open'; readonly untilMs: number; readonly openings: number }
  | { readonly kind: 'half-open'; readonly openings: number };

export type Health = 'success' | 'failure' | 'none';

const FAILURES_TO_OPEN = 3;
const FIRST_OPEN_MS = 1_000;
const LONGEST_OPEN_MS = 30_000;

export const CLOSED: Circuit = { kind: 'closed', failures: 0 };

export function allows(circuit: Circuit, nowMs: number): boolean {
  switch (circuit.kind) {
    case 'closed':
      return true;
    case 'open':
      return nowMs >= circuit.untilMs;
    case 'half-open':
      return false; // C1
  }
}

/** A request is about to go through. */
export function entered(circuit: Circuit, nowMs: number): Circuit {
  if (circuit.kind !== 'open' || nowMs < circuit.untilMs) return circuit;
  return { kind: 'half-open', openings: circuit.openings };
}

export function judged(circuit: Circuit, verdict: Health, nowMs: number): Circuit {
  if (verdict === 'success') return CLOSED;
  if (verdict === 'none') {
    if (circuit.kind !== 'half-open') return circuit;
    return { kind: 'open', untilMs: nowMs, openings: circuit.openings }; // C1
  }
  switch (circuit.kind) {
    case 'closed': {
      const failures = circuit.failures + 1;
      return failures < FAILURES_TO_OPEN ? { kind: 'closed', failures } : opened(1, nowMs);
    }
    case 'open': // a straggler from before the opening says nothing new
      return circuit;
    case 'half-open':
      return opened(circuit.openings + 1, nowMs);
  }
}

function opened(openings: number, nowMs: number): Circuit {
  const lastsMs = Math.min(LONGEST_OPEN_MS, FIRST_OPEN_MS * 2 ** (openings - 1)); // C2
  return { kind: 'open', untilMs: nowMs + lastsMs, openings };
}
