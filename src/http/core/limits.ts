/** Limits on routes: how often an address may be wrong about sessions, and what the documents say of limits. */
import type { ErrorCode } from '../../errors.ts';
import type { Limits } from '../../limits/limits.ts';
import { type HttpAnswer, type HttpRequest, problem, type Route } from './router.ts';

/** Whoever asks these keeps the instance alive; a limit would take it out of its balancer. */
export const UNLIMITED_PATHS: ReadonlySet<string> = new Set(['/healthz', '/readyz', '/metrics']);

/** What tells that an id is of no session, or of somebody else's. */
const WRONG: ReadonlySet<ErrorCode> = new Set([
  'session_not_found',
  'not_found',
  'forbidden',
  'too_many_sessions',
]);

const NAMES_A_SESSION = /^\/api\/(session|archive)\/:id/;

export function withLimits(ports: { readonly limits: Limits }, routes: readonly Route[]): readonly Route[] {
  return routes.map((route) => {
    if (UNLIMITED_PATHS.has(route.path)) return route;
    const { describe } = route;
    const errors = [...(describe?.errors ?? []), 'rate_limited'] as const;
    return {
      ...route,
      ...(describe === undefined ? {} : { describe: { ...describe, errors } }),
      answer: NAMES_A_SESSION.test(route.path)
        ? (request) => watched(ports.limits, request, () => route.answer(request))
        : route.answer,
    };
  });
}

/** Answers only who has not been wrong too often, and notes who is wrong now. */
export async function watched(
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
