/**
 * createVllmGenerator makes one attempt at one chosen replica, and reports how it ended. Only the session retries,
 * because only the session knows which text is stored.
 *
 * VLLM-1  One `generate` gets at most one answer upstream, and leaves no request open when it settles.
 * VLLM-2  `close` stops every running generation and waits until each has settled.
 * VLLM-3  A replica that asked for a pause gets a request before its end only if no other replica can take the request.
 *
 * Read next: answer/negotiation.ts (the form of the request), answer/upstream-call.ts (its content), answer/attempt.ts
 * (the answer), replicas/replicas.ts (the choice of the replica).
 */
import type { ExtraBody } from '../config/values.ts';
import { negotiate } from './answer/negotiation.ts';
import { ReplicaProfile } from './answer/server-profile.ts';
import type {
  GenerationChunk,
  GenerationFailed,
  GenerationFailureCode,
  GenerationRequest,
  GenerationResult,
  Generator,
} from './port.ts';
import type { RequestResult } from './replicas/circuit.ts';
import { checkReplica } from './replicas/replica-check.ts';
import {
  createReplicas,
  type Replica,
  type ReplicaCheck,
  type ReplicaEvent,
  type ReplicaReport,
} from './replicas/replicas.ts';
import { contextLimitOf } from './upstream/context-length.ts';
import { asksToWait, classify, type Failure, failure, restMsOf } from './upstream/failure.ts';
import type { TransportName } from './upstream/transport.ts';
import { createUpstream, type ModelCard, type Upstream } from './upstream/upstream.ts';
import { type GenerationTimeouts, startWatchdog, type Watchdog } from './upstream/watchdog.ts';

export interface VllmOptions {
  /** Each ends in /v1. */
  readonly baseUrls: readonly string[];
  readonly apiKey?: string | null;
  /** Absent: the first of /v1/models. All replicas must serve the same model, because token ids differ between models. */
  readonly model?: string | null;
  /** What carries the answers: docs/adr/0018. Absent: `undici`. */
  readonly transport?: TransportName;
  /** Fields for every request; never one that the request sets itself. */
  readonly extraBody?: ExtraBody;
  readonly timeouts: GenerationTimeouts;
  readonly defaultMaxTokens: number;
  readonly defaultTemperature?: number;
  /** How often several replicas are probed for /health and /metrics. */
  readonly probeEveryMs?: number;
  /** How often a failing replica is checked, beside the check of each at the start. Absent: no checks. */
  readonly checkEveryMs?: number;
  readonly onReplicaEvent?: (event: ReplicaEvent) => void;
}

export interface VllmGenerator extends Generator {
  /** For operators. */
  reports(): readonly ReplicaReport[];
  /** The configured model, else the one that the first replica to answer names; null: none answers. */
  servedModel(): Promise<string | null>;
}

interface Server {
  readonly upstream: Upstream;
  readonly profile: ReplicaProfile;
}

const DEFAULT_TEMPERATURE = 0.7;
const DEFAULT_PROBE_EVERY_MS = 2_000;
const CHECK_TIMEOUT_MS = 5_000;
/** The longest wait that a model server may ask of a turn. */
const LONGEST_WAIT_MS = 60_000;

export function createVllmGenerator(options: VllmOptions): VllmGenerator {
  const {
    apiKey = null,
    model = null,
    transport = 'undici',
    checkEveryMs,
    onReplicaEvent,
    timeouts,
  } = options;
  const replicas = createReplicas(options.baseUrls, {
    probeEveryMs: options.probeEveryMs ?? DEFAULT_PROBE_EVERY_MS,
    ...(onReplicaEvent === undefined ? {} : { onEvent: onReplicaEvent }),
    ...(checkEveryMs === undefined ? {} : { check: checkOf(checkEveryMs) }),
  });
  function checkOf(everyMs: number): ReplicaCheck {
    const how = { apiKey, namesModel: model !== null, timeoutMs: CHECK_TIMEOUT_MS };
    return { everyMs, model, ask: (baseUrl) => checkReplica(baseUrl, how) };
  }
  const servers = new Map<string, Server>();
  const running = new Map<Watchdog, Promise<unknown>>();
  let closed = false;

  function serverOf({ id, baseUrl }: Replica): Server {
    const known = servers.get(id);
    if (known !== undefined) return known;
    const upstream = createUpstream({ baseUrl, apiKey, model, transport, totalMs: timeouts.totalMs });
    const server = { upstream, profile: new ReplicaProfile() };
    servers.set(id, server);
    return server;
  }

  async function onReplica(
    replica: Replica,
    request: GenerationRequest,
    watchdog: Watchdog,
    onChunk: (chunk: GenerationChunk) => void,
  ): Promise<ReplicaOutcome> {
    const startedMs = performance.now();
    const server = serverOf(replica);
    const card = await askCard(server.upstream, watchdog);
    if (card.kind === 'failed') return failed(card.failure, replica);
    if (card.kind === 'stopped') return stoppedEarly(watchdog, replica);

    const maxTokens = request.options.maxTokens ?? options.defaultMaxTokens;
    const { outcome, temperature } = await negotiate(
      { ...server, owner: card.owner },
      request,
      {
        model: card.model,
        maxTokens,
        temperature: request.options.temperature ?? options.defaultTemperature ?? DEFAULT_TEMPERATURE,
        extraBody: options.extraBody ?? {},
      },
      watchdog,
      card.simulated ? (chunk) => onChunk({ ...chunk, simulated: true }) : onChunk,
    );

    if (outcome.kind === 'aborted') return { result: outcome, failure: null };
    if (outcome.kind === 'restart') return { result: { ...outcome, replica: replica.id }, failure: null };
    if (outcome.kind === 'failed') {
      const { code, refusal } = outcome.failure;
      // Another model may answer there by now.
      if (code === 'model_not_found' || code === 'upstream_unavailable') server.upstream.forgetCard();
      if (code === 'model_not_found' || (code === 'upstream_unavailable' && refusal === undefined))
        server.profile.forget();
      return failed(outcome.failure, replica);
    }
    const result: GenerationResult = {
      kind: 'completed',
      finishReason: outcome.reason,
      usage: outcome.usage,
      model: card.model,
      replica: replica.id,
      firstTokenMs: outcome.firstTokenMs === null ? null : Math.round(outcome.firstTokenMs),
      totalMs: Math.round(performance.now() - startedMs),
      temperature,
      maxTokens,
      simulated: card.simulated,
    };
    return { result, failure: null };
  }

  /** Adds to a failure the wait before the next attempt, if no other replica can take it (VLLM-3). */
  function withWait(result: GenerationFailed): GenerationFailed {
    const retryAfterMs = Math.ceil(replicas.waitMs());
    if (retryAfterMs === 0) return result;
    // The turn would time out before such a wait ends.
    if (retryAfterMs > Math.min(LONGEST_WAIT_MS, timeouts.totalMs)) return { ...result, retryable: false };
    return { ...result, retryAfterMs };
  }

  return {
    reports: replicas.reports,
    async servedModel() {
      if (model !== null) return model;
      const cards = replicas.all().map(async (replica) => (await serverOf(replica).upstream.card()).model);
      const name = await Promise.any(cards).catch(() => '');
      return name === '' ? null : name;
    },
    async generate(request, onChunk, signal) {
      if (closed || signal.aborted) return { kind: 'aborted' };
      const { sessionId, avoidReplica, preferReplica } = request;
      const replica = replicas.take({ sessionId, avoid: avoidReplica, prefer: preferReplica });
      const watchdog = startWatchdog(timeouts, signal);
      let proof: RequestResult = 'none';
      let code: GenerationFailureCode | null = null;
      let restMs = 0;
      let result: GenerationResult;
      try {
        const work = onReplica(replica, request, watchdog, onChunk);
        running.set(watchdog, work);
        const outcome = await work;
        const { failure } = outcome;
        result = outcome.result;
        // A busy server proves that it works.
        proof = failure !== null && asksToWait(failure) ? 'none' : provenBy(result);
        code = failure?.code ?? null;
        restMs = failure === null ? 0 : restMsOf(failure, request.attempt, Math.random);
      } finally {
        watchdog.dispose(); // VLLM-1
        running.delete(watchdog);
        replicas.give(replica, proof, code, restMs);
      }
      return result.kind === 'failed' && restMs > 0 ? withWait(result) : result;
    },
    async close() {
      closed = true;
      replicas.close();
      const work = [...running.values()];
      for (const watchdog of running.keys()) watchdog.stop('client');
      await Promise.allSettled(work); // VLLM-2
    },
  };
}

type CardAnswer =
  | ({ readonly kind: 'card' } & ModelCard)
  | { readonly kind: 'failed'; readonly failure: Failure }
  | { readonly kind: 'stopped' };

async function askCard(upstream: Upstream, watchdog: Watchdog): Promise<CardAnswer> {
  try {
    const card = await new Promise<ModelCard | null>((resolve, reject) => {
      watchdog.onStop(() => resolve(null));
      upstream.card().then(resolve, reject);
    });
    return card === null ? { kind: 'stopped' } : { kind: 'card', ...card };
  } catch (error) {
    return { kind: 'failed', failure: classify(error, 'before-stream') };
  }
}

interface ReplicaOutcome {
  readonly result: GenerationResult;
  /** Contains the server's words, which must not leave this folder. */
  readonly failure: Failure | null;
}

function stoppedEarly(watchdog: Watchdog, replica: Replica): ReplicaOutcome {
  if (watchdog.cause === null || watchdog.cause === 'client')
    return { result: { kind: 'aborted' }, failure: null };
  return failed(failure(watchdog.cause), replica);
}

function failed(cause: Failure, replica: Replica): ReplicaOutcome {
  const { code, message, retryable, refusal } = cause;
  const isTooLong = code === 'context_length_exceeded' && refusal !== undefined;
  const contextLimit = isTooLong ? contextLimitOf(refusal) : null;
  const limit = contextLimit === null ? {} : { contextLimit };
  return {
    result: { kind: 'failed', code, message, retryable, replica: replica.id, ...limit },
    failure: cause,
  };
}

/** The refusal of a request's content proves that the replica works. */
const PROVEN_BY_FAILURE: Readonly<Record<GenerationFailureCode, RequestResult>> = {
  first_token_timeout: 'failure',
  inter_token_timeout: 'failure',
  total_timeout: 'none',
  upstream_truncated: 'failure',
  upstream_aborted: 'failure',
  upstream_error: 'failure',
  upstream_unavailable: 'failure',
  upstream_rejected: 'success',
  upstream_empty: 'success',
  upstream_incompatible: 'failure',
  content_filtered: 'success',
  context_length_exceeded: 'success',
  model_not_found: 'failure',
  upstream_unauthorized: 'failure',
};

function provenBy(result: GenerationResult): RequestResult {
  if (result.kind === 'failed') return PROVEN_BY_FAILURE[result.code];
  return result.kind === 'completed' ? 'success' : 'none';
}
