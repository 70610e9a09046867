/**
 * Circuit breaker of one server: after some failures in a row the server gets no requests for a while, then one trial.
 * Without it every session would wait for a first-token timeout.
 *
 * CIRCUIT-1  One trial runs at a time; after a trial without a result, another may run.
 * CIRCUIT-2  Without a success in between, each opening lasts twice as long as the previous one, up to a limit.
 */
export type Circuit =
  | { readonly kind: 'closed'; readonly failures: number }
  | { readonly kind: 'open'; readonly untilMs: number; readonly openings: number }
  | { readonly kind: 'half-open'; readonly openings: number };

/** What a request proves about its server. */
export type RequestResult = 'success' | 'failure' | 'none';

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
      return false; // CIRCUIT-1
  }
}

export function afterStart(circuit: Circuit, nowMs: number): Circuit {
  if (circuit.kind !== 'open' || nowMs < circuit.untilMs) return circuit;
  return { kind: 'half-open', openings: circuit.openings };
}

export function afterResult(circuit: Circuit, result: RequestResult, nowMs: number): Circuit {
  if (result === 'success') return CLOSED;
  if (result === 'none') {
    if (circuit.kind !== 'half-open') return circuit;
    return { kind: 'open', untilMs: nowMs, openings: circuit.openings }; // CIRCUIT-1
  }
  switch (circuit.kind) {
    case 'closed': {
      const failures = circuit.failures + 1;
      return failures < FAILURES_TO_OPEN ? { kind: 'closed', failures } : openCircuit(1, nowMs);
    }
    case 'open': // a request from before the opening proves nothing new
      return circuit;
    case 'half-open':
      return openCircuit(circuit.openings + 1, nowMs);
  }
}

function openCircuit(openings: number, nowMs: number): Circuit {
  const lastsMs = Math.min(LONGEST_OPEN_MS, FIRST_OPEN_MS * 2 ** (openings - 1)); // CIRCUIT-2
  return { kind: 'open', untilMs: nowMs + lastsMs, openings };
}
