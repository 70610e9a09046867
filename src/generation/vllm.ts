/**
 * The generator that drives vLLM: choose a replica, plan the call, make one attempt, tell how it ended.
 * Retrying is the session's business: only it knows what is stored by then.
 *
 * V1  One `generate` is at most one generating request upstream, and none is left open when it settles.
 * V2  `close` stops every running generation and waits until each has settled.
 *
 * Read next: upstream-call.ts (what is asked), attempt.ts (what comes back), replicas.ts (of whom).
 */
import { type AttemptOutcome, attempt } from './attempt.ts';
import type { Verdict } from './circuit.ts';
import { classify, type Failure, failure } from './failure.ts';
import type {
  GenerationChunk,
  GenerationFailureCode,
  GenerationRequest,
  GenerationResult,
  Generator,
} from './port.ts';
import { checkReplica } from './replica-check.ts';
import { createReplicas, type Replica, type ReplicaCheck, type ReplicaReport } from './replicas.ts';
import { createUpstream, type ModelCard, type Upstream } from './upstream.ts';
import { planCall } from './upstream-call.ts';
import { DEFAULT_PROBE_EVERY_MS, DEFAULT_TEMPERATURE, type VllmOptions } from './vllm-options.ts';
import { startWatchdog, type Watchdog } from './watchdog.ts';

const CHECK_TIMEOUT_MS = 5_000;

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
  const upstreams = new Map<string, Upstream>();
  const running = new Map<Watchdog, Promise<unknown>>();
  let closed = false;

  function upstreamOf(replica: Replica): Upstream {
    let upstream = upstreams.get(replica.id);
    if (upstream === undefined) {
      upstream = createUpstream({
        baseUrl: replica.baseUrl,
        apiKey: options.apiKey ?? null,
        model: options.model ?? null,
        totalMs: options.timeouts.totalMs,
      });
      upstreams.set(replica.id, upstream);
    }
    return upstream;
  }

  async function onReplica(
    replica: Replica,
    request: GenerationRequest,
    watchdog: Watchdog,
    onChunk: (chunk: GenerationChunk) => void,
  ): Promise<GenerationResult> {
    const startedMs = performance.now();
    const upstream = upstreamOf(replica);
    const card = await askCard(upstream, watchdog);
    if (card.kind === 'failed') return failed(card.failure, replica);
    if (card.kind === 'stopped') return stoppedEarly(watchdog, replica);

    const maxTokens = request.options.maxTokens ?? options.defaultMaxTokens;
    const temperature = request.options.temperature ?? options.defaultTemperature ?? DEFAULT_TEMPERATURE;
    const extraBody = options.extraBody ?? {};
    const plan = planCall(request, { model: card.model, maxTokens, temperature, extraBody });
    const onMarkedChunk = card.simulated
      ? (chunk: GenerationChunk) => onChunk({ ...chunk, simulated: true })
      : onChunk;
    const outcome: AttemptOutcome =
      plan.kind === 'nothing-left'
        ? nothingLeft(request, plan.prefixTokens)
        : await attempt(upstream, plan, `${request.turnId}-${request.attempt}`, watchdog, onMarkedChunk);

    if (outcome.kind === 'aborted') return outcome;
    if (outcome.kind === 'failed') {
      const { code } = outcome.failure;
      // What answers there may be another model by now.
      if (code === 'model_not_found' || code === 'upstream_unavailable') upstream.forgetCard();
      return failed(outcome.failure, replica);
    }
    return {
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
      let verdict: Verdict = 'none';
      let code: GenerationFailureCode | null = null;
      try {
        const work = onReplica(replica, request, watchdog, onChunk);
        running.set(watchdog, work);
        const result = await work;
        verdict = verdictOf(result);
        if (result.kind === 'failed') code = result.code;
        return result;
      } finally {
        watchdog.dispose(); // V1
        running.delete(watchdog);
        replicas.give(replica, verdict, code);
      }
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

function stoppedEarly(watchdog: Watchdog, replica: Replica): GenerationResult {
  if (watchdog.cause === null || watchdog.cause === 'client') return { kind: 'aborted' };
  return failed(failure(watchdog.cause), replica);
}

/** Every token that may be said is stored already; only the end was lost. */
function nothingLeft(request: GenerationRequest, prefixTokens: number): AttemptOutcome {
  const promptTokens = request.prefix?.promptTokenIds?.length ?? 0;
  const usage = { prompt_tokens: promptTokens, completion_tokens: prefixTokens };
  return { kind: 'finished', reason: 'length', usage, firstTokenMs: null };
}

function failed({ code, message, retryable }: Failure, replica: Replica): GenerationResult {
  return { kind: 'failed', code, message, retryable, replica: replica.id };
}

/** What an end says about the replica: a refusal of content shows that it is well. */
const VERDICTS: Readonly<Record<GenerationFailureCode, Verdict>> = {
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

function verdictOf(result: GenerationResult): Verdict {
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
