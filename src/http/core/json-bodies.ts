/**
 * Refuses a body that is not announced as JSON. A page of another origin may send text and forms without asking first, but
 * not JSON: browsers ask the service before they send it.
 */
import { problem } from './answer.ts';
import type { Route } from './router.ts';

const JSON_TYPE = /^application\/json\s*(;|$)/i;

export function withJsonBodies(routes: readonly Route[]): readonly Route[] {
  return routes.map((route) => {
    const { describe } = route;
    if (describe?.body === undefined) return route;
    return {
      ...route,
      describe: { ...describe, errors: [...(describe.errors ?? []), 'unsupported_media_type'] },
      answer: (request) =>
        JSON_TYPE.test(request.header('content-type'))
          ? route.answer(request)
          : problem('unsupported_media_type', request.requestId),
    };
  });
}
