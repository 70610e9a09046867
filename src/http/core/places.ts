/** Places says which port serves a route: with `ADMIN_PORT`, what is for operators has a port of its own. */
import { type Operation, type Permission, permissions } from '../../identity/permissions.ts';
import { operationOf, type Route } from './router.ts';

/** `only`: the one port of a service without `ADMIN_PORT` serves everything. */
export type Place = 'only' | 'main' | 'admin';

/** The other port answers as it does for a path that no route has. */
export function servedAt(place: Place): (route: Route) => boolean {
  return (route) => {
    const { listener = 'main' } = permissionOf(operationOf(route));
    return place === 'only' || listener === 'both' || listener === place;
  };
}

/** Prometheus scrapes the port for operators without a credential: only operators reach it. */
const SCRAPED: Permission = { ...permissions['GET /metrics'], stranger: 'all' };

export function permissionOf(operation: Operation, place: Place = 'only'): Permission {
  return place === 'admin' && operation === 'GET /metrics' ? SCRAPED : permissions[operation];
}
