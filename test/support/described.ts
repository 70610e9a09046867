/** The routes as they describe themselves; nothing is served by them. */
import type { HttpPorts } from '../../src/http/core/ports.ts';
import { httpRoutes } from '../../src/http/routes.ts';

// Ports are only used when a route answers.
export const described = httpRoutes({} as HttpPorts);
