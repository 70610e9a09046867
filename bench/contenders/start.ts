/** Starts the servers that the benchmark compares. Each has a Redis of its own. */

import type { Contender } from '../measure/cell.ts';
import { INSPECTED } from '../measure/heap.ts';
import type { Stage } from '../measure/stage.ts';

export const SERVICE = 'this service';
const EMBEDDED = 'this service, embedded';
const FORGETFUL = 'this service, without a history';
export const DOCUMENTATION = 'documentation’s way';
export const SOCKET_IO = 'Socket.IO + SET';
export const FLOOR = 'floor';

const upstreamOf = (stage: Stage) => `http://127.0.0.1:${stage.upstream.port}`;

export async function startService(stage: Stage, env = {}): Promise<Contender> {
  const redis = await stage.redis();
  return { name: SERVICE, redis, program: await stage.service(redis, env), speech: 'rehydra' };
}

/** The service as it is, but without the history of transitions. */
export async function startForgetful(stage: Stage): Promise<Contender> {
  return { ...(await startService(stage, { HISTORY_MAX: '0' })), name: FORGETFUL };
}

export async function startEmbedded(stage: Stage): Promise<Contender> {
  return { name: EMBEDDED, redis: null, program: await stage.service(null), speech: 'rehydra' };
}

export async function startDocumentation(stage: Stage, inspected = false): Promise<Contender> {
  const redis = await stage.redis();
  const env = { CONTENDER_REDIS_PORT: String(redis.port), CONTENDER_UPSTREAM: upstreamOf(stage) };
  const url = import.meta.resolve('./documentation.ts');
  const program = await stage.own(url, 'server', env, inspected ? [INSPECTED] : []);
  return { name: DOCUMENTATION, redis, program, speech: 'rehydra' };
}

export async function startSocketIo(stage: Stage, inspected = false): Promise<Contender> {
  const redis = await stage.redis();
  const env = { CONTENDER_REDIS_PORT: String(redis.port) };
  const url = import.meta.resolve('./socketio.ts');
  const program = await stage.own(url, 'server', env, inspected ? [INSPECTED] : []);
  return { name: SOCKET_IO, redis, program, speech: 'socket.io' };
}

/** `appends`: how often the service stores text in a turn of one token. */
export async function startFloor(stage: Stage, appends: number): Promise<Contender> {
  const redis = await stage.redis();
  const env = {
    FLOOR_REDIS_PORT: String(redis.port),
    FLOOR_UPSTREAM: upstreamOf(stage),
    FLOOR_APPENDS: String(Math.round(appends)),
  };
  const program = await stage.own(import.meta.resolve('./floor.ts'), 'server', env);
  return { name: FLOOR, redis, program, speech: 'rehydra' };
}
