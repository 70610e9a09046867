/** The routes as they describe themselves; nothing is served by them. */
import { type HttpPorts, httpRoutes } from '../../src/http/routes.ts';

// Ports are only used when a route answers.
export const described = httpRoutes({} as HttpPorts);
