/**
 * ReplicaHealth reports to the operator whether one replica fails, since when, and with which code. The circuit
 * (circuit.ts) decides where requests go.
 *
 * HEALTH-1  One episode of failures reports at most three changes: failing, down, recovered; never one per turn.
 * HEALTH-2  An episode ends once the replica works again and QUIET_MS have passed without a failed turn. Otherwise a
 *           replica that fails now and then would fail and recover with each answer.
 * HEALTH-3  A good check ends an episode of failed checks, not of failed turns: a server may list its models and still
 *           fail every turn.
 */
import type { GenerationFailureCode } from '../port.ts';

/**
 * `failing`: its latest episode of failures is not over, and it still gets requests.
 * `down`: three failures in a row, or it does not answer checks; it gets requests only while all other replicas are down.
 */
export type HealthState = 'up' | 'failing' | 'down';

export type HealthChange =
  | {
      readonly kind: 'failing' | 'down';
      readonly code: GenerationFailureCode;
      readonly detail: string | null;
    }
  | { readonly kind: 'recovered'; readonly code: GenerationFailureCode; readonly afterMs: number };

export interface HealthReport {
  readonly state: HealthState;
  /** Unix time in ms of the first failure, or of the recovery; null: it never failed. */
  readonly sinceMs: number | null;
  readonly lastError: GenerationFailureCode | null;
}

export interface ReplicaHealth {
  report(): HealthReport;
  turnFailed(code: GenerationFailureCode): void;
  turnSucceeded(): void;
  checkFailed(code: GenerationFailureCode, detail: string | null): void;
  checkSucceeded(): void;
  /** Reports a recovery that only QUIET_MS delayed. */
  settle(): void;
}

export interface HealthPorts {
  /** Monotonic. */
  readonly now: () => number;
  readonly wallNow: () => number;
  readonly circuitIsClosed: () => boolean;
  /** Called after an outage, so that the next request does not wait for the circuit. */
  readonly closeCircuit: () => void;
  readonly changed: (change: HealthChange) => void;
}

interface Episode {
  readonly startedMs: number;
  readonly sinceMs: number;
  code: GenerationFailureCode;
  wasDown: boolean;
  /** The latest turn failed. */
  turnFails: boolean;
  checkFails: boolean;
  lastFailedTurnMs: number;
}

const QUIET_MS = 10_000;

export function createReplicaHealth(ports: HealthPorts): ReplicaHealth {
  const { now, wallNow, circuitIsClosed, closeCircuit, changed } = ports;
  let episode: Episode | null = null;
  let recoveredAtMs: number | null = null;
  let lastError: GenerationFailureCode | null = null;

  const isDown = (): boolean => episode !== null && (episode.checkFails || !circuitIsClosed());

  /** Applies the failure to the episode, then reports the change, if any. */
  function fail(code: GenerationFailureCode, detail: string | null, apply: (current: Episode) => void): void {
    const begins = episode === null;
    episode ??= {
      startedMs: now(),
      sinceMs: wallNow(),
      code,
      wasDown: false,
      turnFails: false,
      checkFails: false,
      lastFailedTurnMs: Number.NEGATIVE_INFINITY,
    };
    episode.code = code;
    lastError = code;
    apply(episode);
    if (isDown() && !episode.wasDown) {
      episode.wasDown = true;
      changed({ kind: 'down', code, detail }); // HEALTH-1
    } else if (begins) changed({ kind: 'failing', code, detail }); // HEALTH-1
  }

  function settle(): void {
    if (episode === null || episode.turnFails || isDown()) return;
    if (now() - episode.lastFailedTurnMs < QUIET_MS) return; // HEALTH-2
    const { code, startedMs } = episode;
    episode = null;
    recoveredAtMs = wallNow();
    changed({ kind: 'recovered', code, afterMs: Math.round(now() - startedMs) });
  }

  return {
    settle,
    report: () => ({
      state: episode === null ? 'up' : isDown() ? 'down' : 'failing',
      sinceMs: episode === null ? recoveredAtMs : episode.sinceMs,
      lastError,
    }),
    turnFailed(code) {
      fail(code, null, (current) => {
        current.turnFails = true;
        current.lastFailedTurnMs = now();
      });
    },
    turnSucceeded() {
      if (episode === null) return;
      episode.turnFails = false;
      episode.checkFails = false;
      settle();
    },
    checkFailed(code, detail) {
      fail(code, detail, (current) => {
        current.checkFails = true;
      });
    },
    checkSucceeded() {
      if (episode?.checkFails !== true) return; // HEALTH-3
      episode.checkFails = false;
      episode.turnFails = false;
      closeCircuit();
      settle();
    },
  };
}
