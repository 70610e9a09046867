/**
 * One attempt at one replica, in a form that the replica accepts.
 *
 * NEGOTIATE-1  A request that is refused for a field of ours is sent again without the field, within the same attempt.
 *              A server that gives no reason, and has taken none of vLLM's own fields yet, is asked once without them.
 * NEGOTIATE-2  A continuation that is refused, or that begins the answer again, ends as `restart`, and no chunk of it
 *              was handed on.
 */
import { type AttemptOutcome, attempt } from '../answer/attempt.ts';
import { createRepeatGuard } from '../answer/repeat-guard.ts';
import type { GenerationChunk, GenerationRequest } from '../port.ts';
import type { ReplicaProfile } from '../replicas/server-profile.ts';
import { EXTENSIONS, type RefusedField, refusedFields, sends } from './refused-fields.ts';
import type { Upstream } from './upstream.ts';
import { type CallContext, planCall, type UpstreamCall } from './upstream-call.ts';
import type { Watchdog } from './watchdog.ts';

export interface Server {
  readonly upstream: Upstream;
  readonly profile: ReplicaProfile;
  /** `owned_by` of its model card. */
  readonly owner: string | null;
}

export interface Negotiated {
  readonly outcome: AttemptOutcome | { readonly kind: 'restart' };
  /** The temperature that the server was asked for, or its own where it takes none. */
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

    const { outcome, hasSpoken, startsOverEachTime } = await send(upstream, plan, request, watchdog, onChunk);
    const named = refusedBy(outcome, plan, ownsTemperature);
    const suspects = named.size > 0 || profile.takesExtensions ? named : extensionsOf(outcome);
    const fields = [...suspects].filter((field) => !refused.has(field));
    if (fields.length > 0 && !hasSpoken) {
      refused = new Set([...refused, ...fields]); // NEGOTIATE-1; each round leaves out at least one field more
      continue;
    }
    if (refused !== known.refused && (hasSpoken || outcome.kind === 'finished'))
      profile.rememberRefused(refused);
    if (hasSpoken && EXTENSIONS.every((field) => sends(plan.body, field))) profile.rememberExtensions();
    if (startsOverEachTime) profile.rememberStartsOver();
    const { temperature = DEFAULT_OF_SERVERS } = plan.body;
    return {
      outcome: plan.continues !== null && !hasSpoken && isRefusal(outcome) ? { kind: 'restart' } : outcome, // NEGOTIATE-2
      temperature: Number(temperature),
    };
  }
}

interface Sent {
  readonly outcome: Negotiated['outcome'];
  /** The server has begun to answer. */
  readonly hasSpoken: boolean;
  readonly startsOverEachTime: boolean;
}

async function send(
  upstream: Upstream,
  call: UpstreamCall,
  { turnId, attempt: number, prefix }: GenerationRequest,
  watchdog: Watchdog,
  onChunk: (chunk: GenerationChunk) => void,
): Promise<Sent> {
  const guard = call.continues === 'text' ? createRepeatGuard(prefix?.text ?? '', onChunk) : null;
  let hasSpoken = false;
  let isRepeat = false;
  const listen = (chunk: GenerationChunk): void => {
    hasSpoken = true;
    if (guard === null) return onChunk(chunk);
    if (isRepeat || guard.hear(chunk)) return;
    isRepeat = true;
    watchdog.stop('client');
  };
  const outcome = await attempt(upstream, call, `${turnId}-${number}`, watchdog, listen);
  if (isRepeat)
    return { outcome: { kind: 'restart' }, hasSpoken, startsOverEachTime: guard?.isHabit ?? false };
  if (outcome.kind === 'finished') guard?.finish();
  return { outcome, hasSpoken, startsOverEachTime: false };
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

/** What may be behind a refusal that names no field. */
function extensionsOf(outcome: Negotiated['outcome']): ReadonlySet<RefusedField> {
  const status = outcome.kind === 'failed' ? outcome.failure.refusal?.status : null;
  const isSuspect = isRefusal(outcome) && (status === 400 || status === 422);
  return new Set(isSuspect ? EXTENSIONS : []);
}

/** The server refused the request itself, not the caller or the moment. */
function isRefusal(outcome: Negotiated['outcome']): boolean {
  if (outcome.kind !== 'failed' || outcome.failure.code !== 'upstream_rejected') return false;
  return REFUSALS.has(outcome.failure.refusal?.status ?? 0);
}

/** Every token that may be said is stored already; only the end was lost. */
function nothingLeft(request: GenerationRequest, prefixTokens: number): AttemptOutcome {
  const promptTokens = request.prefix?.promptTokenIds?.length ?? 0;
  const usage = { prompt_tokens: promptTokens, completion_tokens: prefixTokens };
  return { kind: 'finished', reason: 'length', usage, firstTokenMs: null };
}
