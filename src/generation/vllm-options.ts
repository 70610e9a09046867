/** What the vLLM client is told at start. Every duration is a limit of ours; vLLM itself promises none. */

import type { ExtraBody } from '../config/values.ts';
import type { ReplicaEvent } from './replicas/replicas.ts';

export interface GenerationTimeouts {
  /** From the start of the attempt, queueing included, to the first token. */
  readonly firstTokenMs: number;
  /** The longest silence between two chunks. */
  readonly interTokenMs: number;
  /** The whole attempt. */
  readonly totalMs: number;
}

export interface VllmOptions {
  /** Each ends in /v1. */
  readonly baseUrls: readonly string[];
  readonly apiKey?: string;
  /** Absent: the first of /v1/models. All replicas must serve the same model: ids of one mean nothing to another. */
  readonly model?: string;
  /** Added to every request; never a field that the request sets itself. */
  readonly extraBody?: ExtraBody;
  readonly timeouts: GenerationTimeouts;
  readonly defaultMaxTokens: number;
  readonly defaultTemperature?: number;
  /** How often /health and /metrics are read where there is a choice of replicas. */
  readonly probeEveryMs?: number;
  /** How often a replica that fails is checked; each is checked at the start. Absent: no replica is checked. */
  readonly checkEveryMs?: number;
  readonly onReplicaEvent?: (event: ReplicaEvent) => void;
}

export const DEFAULT_TEMPERATURE = 0.7;
export const DEFAULT_PROBE_EVERY_MS = 2_000;
