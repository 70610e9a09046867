/**
 * chooseReplica picks the replica that answers: the session's home, whose prefix cache is warm, unless that home is
 * unhealthy or clearly busier than the others (a pure hash has driven single engines into thrashing).
 *
 * CHOICE-1  An overloaded replica is chosen only when all usable replicas are overloaded.
 * CHOICE-2  The replica that just failed is chosen only when no other is usable.
 * CHOICE-3  When none is usable, one still gets the request: a wrong probe must not refuse every turn.
 * CHOICE-4  A replica that asked for a pause is chosen only when all usable replicas did.
 */
import { createHash } from 'node:crypto';
import { allows, type Circuit } from './circuit.ts';
import type { ReplicaLoad } from './replica-probe.ts';

export interface ReplicaView {
  readonly id: string;
  readonly healthy: boolean;
  readonly circuit: Circuit;
  /** Running requests of this instance: exact, while the probe's figures are seconds old. */
  readonly inFlight: number;
  readonly load: ReplicaLoad | null;
  /** The replica asked for no requests before this time. */
  readonly restsUntilMs: number;
}

export interface ChoiceHints {
  readonly sessionId: string;
  readonly avoid?: string | undefined;
  readonly prefer?: string | undefined;
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
  const pools = [others, rested, usable, allBut(views, hints.avoid)]; // CHOICE-2, CHOICE-4, CHOICE-3
  const pool = pools.find((views) => views.length > 0) ?? [];
  const meanLoad = pool.reduce((sum, view) => sum + requestsOf(view), 0) / Math.max(1, pool.length);
  const relaxed = pool.filter((view) => !isOverloaded(view, meanLoad));
  const candidates = (relaxed.length > 0 ? relaxed : pool).map((view) => view.id); // CHOICE-1
  if (hints.prefer !== undefined && candidates.includes(hints.prefer)) return hints.prefer;
  return rankReplicas(candidates, hints.sessionId)[0] ?? null;
}

/** How long until a healthy replica takes requests; 0 if one does now, or if none is healthy. */
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

/** Without the 1, the first request would overload an idle fleet. */
export function isOverloaded(view: ReplicaView, meanLoad: number): boolean {
  if (requestsOf(view) > BOUND_FACTOR * meanLoad + 1) return true;
  return view.load !== null && (view.load.kvCacheUsage > FULL_KV_CACHE || view.load.waitingForCapacity > 0);
}

/**
 * Rendezvous hashing, best replica first: the loss of a replica moves only its own sessions, and all instances agree
 * without communication.
 */
export function rankReplicas(replicas: readonly string[], sessionId: string): readonly string[] {
  return replicas
    .map((replica) => ({ replica, score: score(replica, sessionId) }))
    .sort((a, b) => b.score - a.score || (a.replica < b.replica ? -1 : 1))
    .map((entry) => entry.replica);
}

function score(replica: string, sessionId: string): number {
  return createHash('sha256').update(`${replica}\0${sessionId}`).digest().readUIntBE(0, 6);
}
