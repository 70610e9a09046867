/**
 * Refuses a body that is not announced as JSON. A page of another origin may send text and forms without asking first, but
 * not JSON: browsers ask the service before they send it.
 */
import { problem } from './answer.ts';
import type { HttpRequest } from './request.ts';
import type { Description, Route } from './router.ts';

const JSON_TYPE = /^application\/json\s*(;|$)/i;

export function withJsonBodies(routes: readonly Route[]): readonly Route[] {
  return routes.map((route) => {
    const { describe } = route;
    if (describe?.body === undefined) return route;
    return {
      ...route,
      describe: { ...describe, errors: [...(describe.errors ?? []), 'unsupported_media_type'] },
      answer: (request) =>
        isAnnounced(describe, request)
          ? route.answer(request)
          : problem('unsupported_media_type', request.requestId),
    };
  });
}

/** A request without a body names no type. `parseOptionalBody` refuses a body that comes all the same. */
function isAnnounced({ isBodyOptional }: Description, { header }: HttpRequest): boolean {
  const type = header('content-type');
  return JSON_TYPE.test(type) || (isBodyOptional === true && type === '');
}
