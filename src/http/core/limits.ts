/** Limits how often an address may guess at sessions, and adds `rate_limited` to the documents. */
import type { ErrorCode } from '../../errors.ts';
import type { Limits } from '../../limits/limits.ts';
import { type HttpAnswer, problem, Refusal } from './answer.ts';
import type { HttpRequest } from './request.ts';
import type { Route } from './router.ts';

/** Probes: if they were limited, a load balancer would take the instance out of service. */
export const UNLIMITED_PATHS: ReadonlySet<string> = new Set(['/healthz', '/readyz', '/metrics']);

/** Answers to a session id that does not exist, or that belongs to another user. */
const WRONG: ReadonlySet<ErrorCode> = new Set([
  'session_not_found',
  'not_found',
  'forbidden',
  'too_many_sessions',
]);

/** Routes that join a session limit guesses themselves (turns/take-part.ts). */
const NAMES_A_SESSION =
  /^\/(api\/(session|archive|chat|ag-ui)\/:id|v1\/(responses|conversations)\/:id|v1\/sessions\/:id\/(cancel|extend|fork)$)/;

export function withLimits(limits: Limits, routes: readonly Route[]): readonly Route[] {
  return routes.map((route) => {
    if (UNLIMITED_PATHS.has(route.path)) return route;
    const { describe } = route;
    return {
      ...route,
      ...(describe && { describe: { ...describe, errors: [...(describe.errors ?? []), 'rate_limited'] } }),
      answer: NAMES_A_SESSION.test(route.path)
        ? (request) => limitGuesses(limits, request, () => route.answer(request))
        : route.answer,
    };
  });
}

/** Refuses an address that has guessed wrong too often, and counts a wrong guess against it. */
export async function limitGuesses(
  { guesses }: Limits,
  { address, requestId }: HttpRequest,
  answer: () => HttpAnswer | Promise<HttpAnswer>,
): Promise<HttpAnswer> {
  if (guesses === null) return answer();
  const waitMs = await guesses.wait(address);
  if (waitMs > 0) return problem('rate_limited', requestId, undefined, waitMs);
  const reply = await answer();
  if (reply.code !== undefined && WRONG.has(reply.code)) guesses.spend(address);
  return reply;
}

/** Looks a session up for a route that has not joined it yet. A look that finds nothing counts as a guess. */
export async function limitLook<T>(
  { guesses }: Limits,
  { address }: HttpRequest,
  look: () => Promise<T | null>,
): Promise<T | null> {
  if (guesses !== null && (await guesses.wait(address)) > 0) throw new Refusal('rate_limited');
  const found = await look();
  if (found === null) guesses?.spend(address);
  return found;
}
