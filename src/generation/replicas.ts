/**
 * The replicas of one instance: what is known of each, and who answers next.
 *
 * L1  Every `take` is followed by exactly one `give`, whatever happened between.
 * L2  One failed probe is a hiccup, two in a row are an illness; one good one is health.
 * L3  A single replica is not probed: there is nothing to choose.
 */

import { startTimer, type Timer } from '../timers.ts';
import { type Circuit, CLOSED, entered, judged, type Verdict } from './circuit.ts';
import { type ChoiceHints, chooseReplica, type ReplicaView } from './replica-choice.ts';
import type { ReplicaLoad } from './replica-load.ts';
import { type ProbeResult, probeReplica } from './replica-probe.ts';

/** `id` is what clients and logs see: host and port, never a path or credentials. */
export interface Replica {
  readonly id: string;
  readonly baseUrl: string;
}

export interface Replicas {
  take(hints: ChoiceHints): Replica;
  give(replica: Replica, verdict: Verdict): void;
  views(): readonly ReplicaView[];
  close(): void;
}

export interface ReplicasOptions {
  readonly probeEveryMs: number;
  readonly now?: () => number;
  readonly probe?: (baseUrl: string, timeoutMs: number) => Promise<ProbeResult>;
}

interface State {
  readonly replica: Replica;
  circuit: Circuit;
  inFlight: number;
  failedProbes: number;
  load: ReplicaLoad | null;
}

const ILL_AFTER_FAILED_PROBES = 2;

export function createReplicas(baseUrls: readonly string[], options: ReplicasOptions): Replicas {
  const now = options.now ?? (() => performance.now());
  const probe = options.probe ?? probeReplica;
  const states = new Map<string, State>();
  for (const baseUrl of baseUrls) {
    const id = new URL(baseUrl).host;
    const name = states.has(id) ? `${id}#${states.size + 1}` : id;
    const replica = { id: name, baseUrl };
    states.set(name, { replica, circuit: CLOSED, inFlight: 0, failedProbes: 0, load: null });
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
      }),
    );
    if (closed) return;
    timer = startTimer(options.probeEveryMs, () => void probeAll(), { background: true });
  }

  const views = (): readonly ReplicaView[] =>
    all.map((state) => ({
      id: state.replica.id,
      healthy: state.failedProbes < ILL_AFTER_FAILED_PROBES,
      circuit: state.circuit,
      inFlight: state.inFlight,
      load: state.load,
    }));

  return {
    views,
    take(hints) {
      const id = chooseReplica(views(), hints, now());
      const state = (id === null ? undefined : states.get(id)) ?? first;
      state.circuit = entered(state.circuit, now());
      state.inFlight += 1; // L1
      return state.replica;
    },
    give(replica, verdict) {
      const state = states.get(replica.id);
      if (state === undefined) return;
      state.inFlight -= 1;
      state.circuit = judged(state.circuit, verdict, now());
    },
    close() {
      closed = true;
      timer?.cancel();
    },
  };
}
