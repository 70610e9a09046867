/**
 * The generator that drives vLLM: choose a replica, plan the call, make one attempt, tell how it ended.
 * Retrying is the session's business: only it knows what is stored by then.
 *
 * V1  One `generate` is at most one request upstream that is answered, and none is left open when it settles.
 * V2  `close` stops every running generation and waits until each has settled.
 * V3  A replica that asked to be left alone is asked too early only where no other can be.
 *
 * Read next: negotiation.ts (in which form), upstream-call.ts (what is asked), attempt.ts (what comes back),
 * replicas.ts (of whom).
 */

import type {
  GenerationChunk,
  GenerationFailed,
  GenerationFailureCode,
  GenerationRequest,
  GenerationResult,
  Generator,
} from './port.ts';
import type { Health } from './replicas/circuit.ts';
import { checkReplica } from './replicas/replica-check.ts';
import { createReplicas, type Replica, type ReplicaCheck, type ReplicaReport } from './replicas/replicas.ts';
import { ReplicaProfile } from './replicas/server-profile.ts';
import { contextLimitOf } from './upstream/context-length.ts';
import { classify, type Failure, failure } from './upstream/failure.ts';
import { negotiate, type Server } from './upstream/negotiation.ts';
import { restMsOf, saysWhen } from './upstream/overload.ts';
import { createUpstream, type ModelCard, type Upstream } from './upstream/upstream.ts';
import { startWatchdog, type Watchdog } from './upstream/watchdog.ts';
import { DEFAULT_PROBE_EVERY_MS, DEFAULT_TEMPERATURE, type VllmOptions } from './vllm-options.ts';

const CHECK_TIMEOUT_MS = 5_000;
/** The longest that a turn waits because a model server asked it to. */
const LONGEST_WAIT_MS = 60_000;

export interface VllmGenerator extends Generator {
  /** How each replica is, for operators. */
  reports(): readonly ReplicaReport[];
}

export function createVllmGenerator(options: VllmOptions): VllmGenerator {
  const { apiKey = null, model = null, checkEveryMs, onReplicaEvent } = options;
  const replicas = createReplicas(options.baseUrls, {
    probeEveryMs: options.probeEveryMs ?? DEFAULT_PROBE_EVERY_MS,
    ...(onReplicaEvent === undefined ? {} : { onEvent: onReplicaEvent }),
    ...(checkEveryMs === undefined ? {} : { check: checkOf(checkEveryMs) }),
  });
  function checkOf(everyMs: number): ReplicaCheck {
    const how = { apiKey, namesModel: model !== null, timeoutMs: CHECK_TIMEOUT_MS };
    return { everyMs, model, ask: (baseUrl) => checkReplica(baseUrl, how) };
  }
  const servers = new Map<string, Pick<Server, 'upstream' | 'profile'>>();
  const running = new Map<Watchdog, Promise<unknown>>();
  let closed = false;

  function serverOf(replica: Replica): Pick<Server, 'upstream' | 'profile'> {
    let server = servers.get(replica.id);
    if (server === undefined) {
      const upstream = createUpstream({
        baseUrl: replica.baseUrl,
        apiKey: options.apiKey ?? null,
        model: options.model ?? null,
        totalMs: options.timeouts.totalMs,
      });
      server = { upstream, profile: new ReplicaProfile() };
      servers.set(replica.id, server);
    }
    return server;
  }

  async function onReplica(
    replica: Replica,
    request: GenerationRequest,
    watchdog: Watchdog,
    onChunk: (chunk: GenerationChunk) => void,
  ): Promise<Ended> {
    const startedMs = performance.now();
    const server = serverOf(replica);
    const card = await askCard(server.upstream, watchdog);
    if (card.kind === 'failed') return failed(card.failure, replica);
    if (card.kind === 'stopped') return stoppedEarly(watchdog, replica);

    const maxTokens = request.options.maxTokens ?? options.defaultMaxTokens;
    const onMarkedChunk = card.simulated
      ? (chunk: GenerationChunk) => onChunk({ ...chunk, simulated: true })
      : onChunk;
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
      onMarkedChunk,
    );

    if (outcome.kind === 'aborted') return { result: outcome, failure: null };
    if (outcome.kind === 'restart') return { result: { ...outcome, replica: replica.id }, failure: null };
    if (outcome.kind === 'failed') {
      const { code, refusal } = outcome.failure;
      // What answers there may be another model by now.
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

  /** A failure of a replica that is left alone for a while, once it is known whether another may be asked meanwhile. */
  function waiting(result: GenerationFailed): GenerationFailed {
    const retryAfterMs = Math.ceil(replicas.waitMs());
    if (retryAfterMs === 0) return result;
    // A turn that waited longer would only find out later that it has failed.
    if (retryAfterMs > Math.min(LONGEST_WAIT_MS, options.timeouts.totalMs))
      return { ...result, retryable: false };
    return { ...result, retryAfterMs };
  }

  return {
    reports: replicas.reports,
    async generate(request, onChunk, signal) {
      if (closed || signal.aborted) return { kind: 'aborted' };
      const replica = replicas.take({
        sessionId: request.sessionId,
        ...(request.avoidReplica === undefined ? {} : { avoid: request.avoidReplica }),
        ...(request.preferReplica === undefined ? {} : { prefer: request.preferReplica }),
      });
      const watchdog = startWatchdog(options.timeouts, signal);
      let verdict: Health = 'none';
      let code: GenerationFailureCode | null = null;
      let restMs = 0;
      let ended: Ended;
      try {
        const work = onReplica(replica, request, watchdog, onChunk);
        running.set(watchdog, work);
        ended = await work;
        const { result, failure } = ended;
        // A busy server says itself that it lives.
        verdict = failure !== null && saysWhen(failure) ? 'none' : verdictOf(result);
        code = failure?.code ?? null;
        restMs = failure === null ? 0 : restMsOf(failure, request.attempt, Math.random);
      } finally {
        watchdog.dispose(); // V1
        running.delete(watchdog);
        replicas.give(replica, verdict, code, restMs);
      }
      const { result } = ended;
      return result.kind === 'failed' && restMs > 0 ? waiting(result) : result;
    },
    async close() {
      closed = true;
      replicas.close();
      const work = [...running.values()];
      for (const watchdog of running.keys()) watchdog.stop('client');
      await Promise.allSettled(work); // V2
    },
  };
}

type CardAnswer =
  | ({ readonly kind: 'card' } & ModelCard)
  | { readonly kind: 'failed'; readonly failure: Failure }
  | { readonly kind: 'stopped' };

async function askCard(upstream: Upstream, watchdog: Watchdog): Promise<CardAnswer> {
  try {
    const card = await Promise.race([upstream.card(), watchdog.stopped]);
    return card === undefined ? { kind: 'stopped' } : { kind: 'card', ...card };
  } catch (error) {
    return { kind: 'failed', failure: classify(error, 'before-stream') };
  }
}

/** How a generation ended, and why where it failed: the reason holds words of the server, which stay in this room. */
interface Ended {
  readonly result: GenerationResult;
  readonly failure: Failure | null;
}

function stoppedEarly(watchdog: Watchdog, replica: Replica): Ended {
  if (watchdog.cause === null || watchdog.cause === 'client')
    return { result: { kind: 'aborted' }, failure: null };
  return failed(failure(watchdog.cause), replica);
}

function failed(why: Failure, replica: Replica): Ended {
  const { code, message, retryable, refusal } = why;
  const isTooLong = code === 'context_length_exceeded' && refusal !== undefined;
  const contextLimit = isTooLong ? contextLimitOf(refusal) : null;
  const told = contextLimit === null ? {} : { contextLimit };
  return { result: { kind: 'failed', code, message, retryable, replica: replica.id, ...told }, failure: why };
}

/** What an end says about the replica: a refusal of content shows that it is well. */
const VERDICTS: Readonly<Record<GenerationFailureCode, Health>> = {
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

function verdictOf(result: GenerationResult): Health {
  switch (result.kind) {
    case 'completed':
      return 'success';
    case 'aborted':
    case 'restart':
      return 'none';
    case 'failed':
      return VERDICTS[result.code];
  }
}
