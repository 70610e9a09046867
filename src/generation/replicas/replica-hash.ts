/**
 * Rendezvous hashing: every replica draws a number for a session, the highest is its home. Losing a replica
 * moves only the sessions that lived there, and no instance needs to ask another where a session belongs.
 */
import { createHash } from 'node:crypto';

/** All replicas, best first; the order of the input does not matter. */
export function rankReplicas(replicas: readonly string[], sessionId: string): readonly string[] {
  return replicas
    .map((replica) => ({ replica, score: score(replica, sessionId) }))
    .sort((a, b) => b.score - a.score || (a.replica < b.replica ? -1 : 1))
    .map((entry) => entry.replica);
}

function score(replica: string, sessionId: string): number {
  return createHash('sha256').update(`${replica}\0${sessionId}`).digest().readUIntBE(0, 6);
}
