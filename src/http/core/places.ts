/** Places says which port serves a route: with `ADMIN_PORT`, what is for operators has a port of its own. */
import type { Route } from './router.ts';

/** `only`: the one port of a service without `ADMIN_PORT` serves everything. */
export type Place = 'only' | 'main' | 'admin';

/** They show or change what belongs to many users. */
const FOR_OPERATORS: ReadonlySet<string> = new Set([
  'GET /metrics',
  'GET /api/analytics',
  'GET /api/archive',
  'GET /api/archive/export',
  'DELETE /api/users/:id',
]);
const DASHBOARD = /^GET \/dashboard(\/|$)/;

/** Probes ask either port. An operator who found a conversation in a list reads it at the same address. */
const ON_BOTH: ReadonlySet<string> = new Set([
  'GET /healthz',
  'GET /readyz',
  'GET /openapi.json',
  'GET /api/sessions',
  'GET /api/session/:id',
  'GET /api/archive/:id',
]);

/** The other port answers as it does for a path that no route has. */
export function servedAt(place: Place): (route: Route) => boolean {
  return ({ method, path }) => {
    const name = `${method} ${path}`;
    if (place === 'only' || ON_BOTH.has(name)) return true;
    return (FOR_OPERATORS.has(name) || DASHBOARD.test(name)) === (place === 'admin');
  };
}
