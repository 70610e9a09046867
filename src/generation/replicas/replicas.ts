/**
 * The replicas of one instance: what is known of each, and who answers next.
 *
 * L1  Every `take` is followed by exactly one `give`, whatever happened between.
 * L2  One failed probe is a hiccup, two in a row are an illness; one good one is health.
 * L3  A single replica is not probed: there is nothing to choose.
 * L4  Every replica is checked at the start, and again while it fails, so that an operator learns of a wrong address,
 *     key or model without a turn that fails, and of a recovery without one that succeeds.
 */

import { startTimer, type Timer } from '../../clock.ts';
import type { GenerationFailureCode } from '../port.ts';
import { type Circuit, CLOSED, entered, type Health, judged } from './circuit.ts';
import type { CheckResult } from './replica-check.ts';
import { type ChoiceHints, chooseReplica, type ReplicaView, waitMs } from './replica-choice.ts';
import { type HealthChange, type HealthReport, openHealth, type ReplicaHealth } from './replica-health.ts';
import type { ReplicaLoad } from './replica-load.ts';
import { type ProbeResult, probeReplica } from './replica-probe.ts';

/** `id` is what clients and logs see: host and port, never a path or credentials. */
export interface Replica {
  readonly id: string;
  readonly baseUrl: string;
}

export interface Replicas {
  take(hints: ChoiceHints): Replica;
  /** `code` is null where the request did not fail. `restMs`: how long the replica asks to be left alone. */
  give(replica: Replica, verdict: Health, code?: GenerationFailureCode | null, restMs?: number): void;
  /** How long until a healthy replica may be asked again; 0 where one may be now. */
  waitMs(): number;
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
  /** The configured model is not among those that the server lists. */
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
  /** Absent: no replica is checked. */
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
  saidNotListed: boolean;
}

const ILL_AFTER_FAILED_PROBES = 2;

export function createReplicas(baseUrls: readonly string[], options: ReplicasOptions): Replicas {
  const now = options.now ?? (() => performance.now());
  const probe = options.probe ?? probeReplica;
  const { check, onEvent = () => {} } = options;
  const states = new Map<string, State>();
  for (const baseUrl of baseUrls) {
    const id = new URL(baseUrl).host;
    const name = states.has(id) ? `${id}#${states.size + 1}` : id;
    const replica = { id: name, baseUrl };
    const health = openHealth({
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
      saidNotListed: false,
    };
    states.set(name, state);
  }
  const all = [...states.values()];
  const [first] = all;
  if (first === undefined) throw new Error('at least one vLLM base URL is needed');

  let closed = false;
  let timer: Timer | null = null;
  if (all.length > 1) void probeAll(); // L3

  async function probeAll(): Promise<void> {
    await Promise.all(
      all.map(async (state) => {
        const result = await probe(state.replica.baseUrl, options.probeEveryMs);
        state.failedProbes = result.healthy ? 0 : state.failedProbes + 1; // L2
        state.load = result.load;
        if (isIll(state)) state.health.checkFailed('upstream_unavailable', 'its health probe fails');
        else if (result.healthy && check === undefined) state.health.checkSucceeded();
      }),
    );
    if (closed) return;
    timer = startTimer(options.probeEveryMs, () => void probeAll(), { background: true });
  }

  const isIll = (state: State): boolean => state.failedProbes >= ILL_AFTER_FAILED_PROBES;
  let checkTimer: Timer | null = null;
  if (check !== undefined) void checkThese(all); // L4

  async function checkThese(those: readonly State[]): Promise<void> {
    if (check === undefined) return;
    await Promise.all(those.map((state) => checkOne(state, check)));
    if (closed) return;
    const failing = () => all.filter(({ health }) => health.report().state !== 'up');
    checkTimer = startTimer(check.everyMs, () => void checkThese(failing()), { background: true });
  }

  async function checkOne(state: State, { ask, model }: ReplicaCheck): Promise<void> {
    const { replica, health } = state;
    const result = await ask(replica.baseUrl);
    if (closed) return;
    if (result.kind === 'failed') return health.checkFailed(result.code, result.detail);
    // A dead engine may still list its models.
    if (isIll(state)) return;
    health.checkSucceeded();
    health.settle();
    const { models } = result;
    if (model === null || models === null || models.includes(model) || state.saidNotListed) return;
    state.saidNotListed = true;
    onEvent({ kind: 'model-not-listed', replica: replica.id, models });
  }

  const views = (): readonly ReplicaView[] =>
    all.map((state) => ({
      id: state.replica.id,
      healthy: !isIll(state),
      circuit: state.circuit,
      inFlight: state.inFlight,
      load: state.load,
      restsUntilMs: state.restsUntilMs,
    }));

  return {
    views,
    reports: () =>
      all.map(({ replica, circuit, health }) => ({
        id: replica.id,
        circuit: circuit.kind,
        ...health.report(),
      })),
    take(hints) {
      const id = chooseReplica(views(), hints, now());
      const state = (id === null ? undefined : states.get(id)) ?? first;
      state.circuit = entered(state.circuit, now());
      state.inFlight += 1; // L1
      return state.replica;
    },
    waitMs: () => waitMs(views(), now()),
    give(replica, verdict, code = null, restMs = 0) {
      const state = states.get(replica.id);
      if (state === undefined) return;
      state.inFlight -= 1;
      // The newest word counts: a replica that answers again before its time is not avoided any longer.
      if (restMs > 0) state.restsUntilMs = now() + restMs;
      else if (verdict === 'success') state.restsUntilMs = 0;
      state.circuit = judged(state.circuit, verdict, now());
      if (code !== null) onEvent({ kind: 'failed', replica: replica.id, code });
      // A server that refuses a request is not avoided for it, but an operator must see it.
      if (code !== null && (verdict === 'failure' || code === 'upstream_rejected'))
        state.health.turnFailed(code);
      else if (verdict === 'success') state.health.turnSucceeded();
    },
    close() {
      closed = true;
      checkTimer?.cancel();
      timer?.cancel();
    },
  };
}
