/**
 * Replicas keeps the state of each replica, as this instance sees it, and chooses the replica of the next request.
 *
 * REPLICAS-1  Exactly one `give` follows every `take`, even after an exception.
 * REPLICAS-2  Two failed probes in a row make a replica unhealthy; one good probe makes it healthy.
 * REPLICAS-3  A single replica gets no probes, because there is no choice.
 * REPLICAS-4  Every replica is checked at the start, and again while it fails. So the operator learns of a wrong address,
 *             key or model before a turn fails, and of a recovery before a turn succeeds.
 */

import { startTimer, type Timer } from '../../clock.ts';
import type { GenerationFailureCode } from '../port.ts';
import { afterResult, afterStart, type Circuit, CLOSED, type RequestResult } from './circuit.ts';
import type { CheckResult } from './replica-check.ts';
import { type ChoiceHints, chooseReplica, type ReplicaView, waitMs } from './replica-choice.ts';
import {
  createReplicaHealth,
  type HealthChange,
  type HealthReport,
  type ReplicaHealth,
} from './replica-health.ts';
import { type ProbeResult, probeReplica, type ReplicaLoad } from './replica-probe.ts';

/** Clients and logs see `id`: host and port, never a path or credentials. */
export interface Replica {
  readonly id: string;
  readonly baseUrl: string;
}

export interface Replicas {
  take(hints: ChoiceHints): Replica;
  /** `code`: null if the request did not fail. `restMs`: how long the replica wants no requests. */
  give(replica: Replica, result: RequestResult, code?: GenerationFailureCode | null, restMs?: number): void;
  /** How long until a healthy replica takes requests again; 0 if one does now. */
  waitMs(): number;
  all(): readonly Replica[];
  views(): readonly ReplicaView[];
  reports(): readonly ReplicaReport[];
  close(): void;
}

/** For operators. */
export interface ReplicaReport extends HealthReport {
  readonly id: string;
  readonly circuit: Circuit['kind'];
}

export type ReplicaEvent =
  | (HealthChange & { readonly replica: string })
  /** One request failed; a turn may have several. */
  | { readonly kind: 'failed'; readonly replica: string; readonly code: GenerationFailureCode }
  /** The server does not list the configured model. */
  | { readonly kind: 'model-not-listed'; readonly replica: string; readonly models: readonly string[] };

export interface ReplicaCheck {
  readonly everyMs: number;
  /** The configured model, if there is one. */
  readonly model: string | null;
  readonly ask: (baseUrl: string) => Promise<CheckResult>;
}

export interface ReplicasOptions {
  readonly probeEveryMs: number;
  readonly now?: () => number;
  readonly probe?: (baseUrl: string, timeoutMs: number) => Promise<ProbeResult>;
  /** Absent: no checks. */
  readonly check?: ReplicaCheck;
  readonly wallNow?: () => number;
  readonly onEvent?: (event: ReplicaEvent) => void;
}

interface State {
  readonly replica: Replica;
  circuit: Circuit;
  inFlight: number;
  failedProbes: number;
  load: ReplicaLoad | null;
  restsUntilMs: number;
  readonly health: ReplicaHealth;
  reportedNotListed: boolean;
}

const UNHEALTHY_AFTER_FAILED_PROBES = 2;

export function createReplicas(baseUrls: readonly string[], options: ReplicasOptions): Replicas {
  const now = options.now ?? (() => performance.now());
  const probe = options.probe ?? probeReplica;
  const { check, onEvent = () => {} } = options;
  const states = new Map<string, State>();
  for (const baseUrl of baseUrls) {
    const id = new URL(baseUrl).host;
    const name = states.has(id) ? `${id}#${states.size + 1}` : id;
    const replica = { id: name, baseUrl };
    const health = createReplicaHealth({
      now,
      wallNow: options.wallNow ?? Date.now,
      circuitIsClosed: () => state.circuit.kind === 'closed',
      closeCircuit: () => {
        state.circuit = CLOSED;
      },
      changed: (change) => onEvent({ ...change, replica: name }),
    });
    const state: State = {
      replica,
      circuit: CLOSED,
      inFlight: 0,
      failedProbes: 0,
      load: null,
      restsUntilMs: 0,
      health,
      reportedNotListed: false,
    };
    states.set(name, state);
  }
  const all = [...states.values()];
  const [first] = all;
  if (first === undefined) throw new Error('at least one vLLM base URL is needed');

  let closed = false;
  let timer: Timer | null = null;
  if (all.length > 1) void probeAll(); // REPLICAS-3

  async function probeAll(): Promise<void> {
    await Promise.all(
      all.map(async (state) => {
        const result = await probe(state.replica.baseUrl, options.probeEveryMs);
        state.failedProbes = result.healthy ? 0 : state.failedProbes + 1; // REPLICAS-2
        state.load = result.load;
        if (isUnhealthy(state)) state.health.checkFailed('upstream_unavailable', 'its health probe fails');
        else if (result.healthy && check === undefined) state.health.checkSucceeded();
      }),
    );
    if (closed) return;
    timer = startTimer(options.probeEveryMs, () => void probeAll(), { background: true });
  }

  const isUnhealthy = (state: State): boolean => state.failedProbes >= UNHEALTHY_AFTER_FAILED_PROBES;
  let checkTimer: Timer | null = null;
  if (check !== undefined) void checkEach(all); // REPLICAS-4

  async function checkEach(some: readonly State[]): Promise<void> {
    if (check === undefined) return;
    await Promise.all(some.map((state) => checkOne(state, check)));
    if (closed) return;
    const failing = () => all.filter(({ health }) => health.report().state !== 'up');
    checkTimer = startTimer(check.everyMs, () => void checkEach(failing()), { background: true });
  }

  async function checkOne(state: State, { ask, model }: ReplicaCheck): Promise<void> {
    const { replica, health } = state;
    const result = await ask(replica.baseUrl);
    if (closed) return;
    if (result.kind === 'failed') return health.checkFailed(result.code, result.detail);
    // A dead engine may still list its models.
    if (isUnhealthy(state)) return;
    health.checkSucceeded();
    health.settle();
    const { models } = result;
    if (model === null || models === null || models.includes(model) || state.reportedNotListed) return;
    state.reportedNotListed = true;
    onEvent({ kind: 'model-not-listed', replica: replica.id, models });
  }

  const views = (): readonly ReplicaView[] =>
    all.map((state) => ({
      id: state.replica.id,
      healthy: !isUnhealthy(state),
      circuit: state.circuit,
      inFlight: state.inFlight,
      load: state.load,
      restsUntilMs: state.restsUntilMs,
    }));

  return {
    all: () => all.map(({ replica }) => replica),
    views,
    reports: () =>
      all.map(({ replica, circuit, health }) => ({
        id: replica.id,
        circuit: circuit.kind,
        ...health.report(),
      })),
    take(hints) {
      // A choice among one would rank it by a hash, for each turn.
      const id = all.length === 1 ? first.replica.id : chooseReplica(views(), hints, now());
      const state = (id === null ? undefined : states.get(id)) ?? first;
      state.circuit = afterStart(state.circuit, now());
      state.inFlight += 1; // REPLICAS-1
      return state.replica;
    },
    waitMs: () => waitMs(views(), now()),
    give(replica, result, code = null, restMs = 0) {
      const state = states.get(replica.id);
      if (state === undefined) return;
      state.inFlight -= 1;
      // The latest answer counts: a replica that answers before its pause ends gets requests again.
      if (restMs > 0) state.restsUntilMs = now() + restMs;
      else if (result === 'success') state.restsUntilMs = 0;
      state.circuit = afterResult(state.circuit, result, now());
      if (code !== null) onEvent({ kind: 'failed', replica: replica.id, code });
      // A server that refuses a request still gets others, but the operator must see the refusal.
      if (code !== null && (result === 'failure' || code === 'upstream_rejected'))
        state.health.turnFailed(code);
      else if (result === 'success') state.health.turnSucceeded();
    },
    close() {
      closed = true;
      checkTimer?.cancel();
      timer?.cancel();
    },
  };
}
