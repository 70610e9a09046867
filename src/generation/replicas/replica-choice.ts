/**
 * Which replica answers: the session's home by rendezvous hash, so that its prefix is cached there, unless
 * that home is ill or clearly busier than the others (a pure hash has driven single engines into thrash).
 *
 * H1  Among usable replicas one that is overloaded is taken only when all are.
 * H2  The replica that just failed is taken only when there is no other usable one.
 * H3  When none is usable the best of all is tried: refusing everybody on a wrong probe would be worse.
 * H4  One that asked to be left alone for a while is taken only when all usable ones did.
 */
import { allows, type Circuit } from './circuit.ts';
import { rankReplicas } from './replica-hash.ts';
import type { ReplicaLoad } from './replica-load.ts';

export interface ReplicaView {
  readonly id: string;
  readonly healthy: boolean;
  readonly circuit: Circuit;
  /** Requests of this instance that are under way: known at once, where the probe is seconds old. */
  readonly inFlight: number;
  readonly load: ReplicaLoad | null;
  /** It asked to be left alone until then. */
  readonly restsUntilMs: number;
}

export interface ChoiceHints {
  readonly sessionId: string;
  readonly avoid?: string;
  readonly prefer?: string;
}

const BOUND_FACTOR = 1.25;
const FULL_KV_CACHE = 0.9;

/** null only when there are no replicas. */
export function chooseReplica(
  views: readonly ReplicaView[],
  hints: ChoiceHints,
  nowMs: number,
): string | null {
  const usable = views.filter((view) => view.healthy && allows(view.circuit, nowMs));
  const rested = usable.filter((view) => view.restsUntilMs <= nowMs);
  const others = rested.filter((view) => view.id !== hints.avoid);
  const pools = [others, rested, usable, allBut(views, hints.avoid)]; // H2, H4, H3
  const pool = pools.find((views) => views.length > 0) ?? [];
  const meanLoad = pool.reduce((sum, view) => sum + requestsOf(view), 0) / Math.max(1, pool.length);
  const relaxed = pool.filter((view) => !isOverloaded(view, meanLoad));
  const candidates = (relaxed.length > 0 ? relaxed : pool).map((view) => view.id); // H1
  if (hints.prefer !== undefined && candidates.includes(hints.prefer)) return hints.prefer;
  return rankReplicas(candidates, hints.sessionId)[0] ?? null;
}

/** How long until a healthy replica may be asked; 0 where one may now, or none is healthy. */
export function waitMs(views: readonly ReplicaView[], nowMs: number): number {
  const waits = views.flatMap(({ healthy, circuit, restsUntilMs }) => {
    const opensAtMs = circuit.kind === 'open' ? circuit.untilMs : 0;
    return healthy ? [Math.max(restsUntilMs, opensAtMs) - nowMs] : [];
  });
  return waits.length === 0 ? 0 : Math.max(0, Math.min(...waits));
}

function allBut(views: readonly ReplicaView[], id: string | undefined): readonly ReplicaView[] {
  const others = views.filter((view) => view.id !== id);
  return others.length > 0 ? others : views;
}

function requestsOf(view: ReplicaView): number {
  return Math.max(view.inFlight, view.load === null ? 0 : view.load.running + view.load.waiting);
}

/** The 1 keeps an idle fleet from calling its first request an overload. */
export function isOverloaded(view: ReplicaView, meanLoad: number): boolean {
  if (requestsOf(view) > BOUND_FACTOR * meanLoad + 1) return true;
  return view.load !== null && (view.load.kvCacheUsage > FULL_KV_CACHE || view.load.waitingForCapacity > 0);
}
