/**
 * negotiate finds a form of the request that the replica accepts.
 *
 * NEGOTIATE-1  If the server refuses a field that this service added, the same attempt sends the request again without
 *              it. If the refusal names no field, and the server has not yet accepted vLLM's own fields, the attempt
 *              sends one more request without those.
 * NEGOTIATE-2  A continuation that the server refuses, or answers from the beginning, ends as `restart` without a chunk.
 */

import type { GenerationChunk, GenerationRequest } from '../port.ts';
import type { Upstream } from '../upstream/upstream.ts';
import type { Watchdog } from '../upstream/watchdog.ts';
import { type AttemptOutcome, attempt } from './attempt.ts';
import { EXTENSIONS, type RefusedField, refusedFields, sends } from './refused-fields.ts';
import { createRepeatGuard } from './repeat-guard.ts';
import type { ReplicaProfile } from './server-profile.ts';
import { type CallContext, planCall, type UpstreamCall } from './upstream-call.ts';

interface Server {
  readonly upstream: Upstream;
  readonly profile: ReplicaProfile;
  /** `owned_by` of its model card. */
  readonly owner: string | null;
}

export interface Negotiated {
  readonly outcome: AttemptOutcome | { readonly kind: 'restart' };
  /** The temperature of the request, or the server's own if it accepts none. */
  readonly temperature: number;
}

/** Servers that refuse `temperature` say that they use this one. */
const DEFAULT_OF_SERVERS = 1;
const REFUSALS: ReadonlySet<number> = new Set([400, 404, 405, 422, 501]);

export async function negotiate(
  { upstream, profile, owner }: Server,
  request: GenerationRequest,
  context: Omit<CallContext, 'profile'>,
  watchdog: Watchdog,
  onChunk: (chunk: GenerationChunk) => void,
): Promise<Negotiated> {
  const known = profile.current(owner);
  const ownsTemperature = request.options.temperature !== undefined;
  for (let { refused } = known; ; ) {
    const plan = planCall(request, { ...context, profile: { ...known, refused } });
    if (plan.kind === 'restart') return { outcome: plan, temperature: context.temperature };
    if (plan.kind === 'nothing-left')
      return { outcome: nothingLeft(request, plan.prefixTokens), temperature: context.temperature };

    const { outcome, hasAnswered, repeatsEachTime } = await send(upstream, plan, request, watchdog, onChunk);
    if (isRefusal(outcome) && !hasAnswered) {
      const named = refusedBy(outcome, plan, ownsTemperature);
      const suspects = named.size > 0 || profile.takesExtensions ? named : extensionsOf(outcome);
      const fields = [...suspects].filter((field) => !refused.has(field));
      if (fields.length > 0) {
        refused = new Set([...refused, ...fields]); // NEGOTIATE-1; each round drops at least one more field
        continue;
      }
    }
    if (refused !== known.refused && (hasAnswered || outcome.kind === 'finished'))
      profile.rememberRefused(refused);
    if (hasAnswered && !profile.takesExtensions && EXTENSIONS.every((field) => sends(plan.body, field)))
      profile.rememberExtensions();
    if (repeatsEachTime) profile.rememberStartsOver();
    const { temperature = DEFAULT_OF_SERVERS } = plan.body;
    return {
      outcome: plan.continues !== null && !hasAnswered && isRefusal(outcome) ? { kind: 'restart' } : outcome, // NEGOTIATE-2
      temperature: Number(temperature),
    };
  }
}

interface Sent {
  readonly outcome: Negotiated['outcome'];
  /** The server has sent a part of the answer. */
  readonly hasAnswered: boolean;
  readonly repeatsEachTime: boolean;
}

async function send(
  upstream: Upstream,
  call: UpstreamCall,
  { turnId, attempt: number, prefix }: GenerationRequest,
  watchdog: Watchdog,
  onChunk: (chunk: GenerationChunk) => void,
): Promise<Sent> {
  const guard = call.continues === 'text' ? createRepeatGuard(prefix?.text ?? '', onChunk) : null;
  let hasAnswered = false;
  let isRepeat = false;
  const forward = (chunk: GenerationChunk): void => {
    hasAnswered = true;
    if (guard === null) return onChunk(chunk);
    if (isRepeat || guard.accept(chunk)) return;
    isRepeat = true;
    watchdog.stop('client');
  };
  const outcome = await attempt(upstream, call, `${turnId}-${number}`, watchdog, forward);
  if (isRepeat)
    return { outcome: { kind: 'restart' }, hasAnswered, repeatsEachTime: guard?.isHabit ?? false };
  if (outcome.kind === 'finished') guard?.finish();
  return { outcome, hasAnswered, repeatsEachTime: false };
}

function refusedBy(
  outcome: Negotiated['outcome'],
  { body }: UpstreamCall,
  ownsTemperature: boolean,
): ReadonlySet<RefusedField> {
  const refusal = outcome.kind === 'failed' ? outcome.failure.refusal : undefined;
  if (!isRefusal(outcome) || refusal === undefined) return new Set();
  return refusedFields(refusal, { body, ownsTemperature });
}

/** The possible reasons for a refusal that names no field. */
function extensionsOf(outcome: Negotiated['outcome']): ReadonlySet<RefusedField> {
  const status = outcome.kind === 'failed' ? outcome.failure.refusal?.status : null;
  const isSuspect = isRefusal(outcome) && (status === 400 || status === 422);
  return new Set(isSuspect ? EXTENSIONS : []);
}

/** True if the server refused this form of the request, not its key, and not because of load. */
function isRefusal(outcome: Negotiated['outcome']): boolean {
  if (outcome.kind !== 'failed' || outcome.failure.code !== 'upstream_rejected') return false;
  return REFUSALS.has(outcome.failure.refusal?.status ?? 0);
}

/** The session has stored every token that max_tokens allows; only the end was lost. */
function nothingLeft(request: GenerationRequest, prefixTokens: number): AttemptOutcome {
  const promptTokens = request.prefix?.promptTokenIds?.length ?? 0;
  const usage = { prompt_tokens: promptTokens, completion_tokens: prefixTokens };
  return { kind: 'finished', reason: 'length', usage, firstTokenMs: null };
}
