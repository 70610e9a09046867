/**
 * The two connections of a store: one that writes and reads, one that listens.
 *
 *  I1  Nothing is queued and nothing is sent twice: no offline queue, no automatic resend (a commit whose reply was
 *      lost would run again behind the back of the caller, who alone knows its write id).
 *  I2  What was on its way when a connection died is rejected at once: `maxRetriesPerRequest: 0`. Without it, ioredis
 *      would leave such calls pending until their timeout.
 *  I3  A connection is tried again for ever, ever more slowly and never at the same moment as those of the other
 *      instances: a Redis that comes back must not be knocked over by them.
 *  I4  A connection on which nothing is heard while something is awaited is given up (`socketTimeout`): a silent peer
 *      (power cut, dropped route) would otherwise take minutes to notice.
 *
 * RESP2 on purpose: our scripts answer with integers, strings and arrays only, and proxies that don't know HELLO exist.
 */
import { Cluster, Redis, type RedisOptions } from 'ioredis';
import { startTimer } from '../../clock.ts';
import type { Address } from './address.ts';
import { isDenied, storeError, storeFailure } from './failure.ts';

export type Client = Redis | Cluster;
export type Log = (
  level: 'info' | 'warn' | 'error',
  message: string,
  fields: Record<string, unknown>,
) => void;

const RETRY_FIRST_MS = 50;
const RETRY_MAX_MS = 2_000;
const CONNECT_TIMEOUT_MS = 5_000;
const KEEP_ALIVE_MS = 15_000;

/** Full jitter over an exponential back-off, with a floor so that a refused port is not hammered. */
export function retryDelayMs(attempt: number): number {
  const ceiling = Math.min(RETRY_MAX_MS, RETRY_FIRST_MS * 2 ** Math.min(attempt, 10));
  return RETRY_FIRST_MS / 2 + Math.round(Math.random() * ceiling);
}

function commonOptions(commandTimeoutMs: number) {
  return {
    protocol: 2,
    replyMapping: 'legacy',
    autoResendUnfulfilledCommands: false,
    commandTimeout: commandTimeoutMs,
    socketTimeout: 2 * commandTimeoutMs,
    connectTimeout: CONNECT_TIMEOUT_MS,
    keepAlive: KEEP_ALIVE_MS,
    noDelay: true,
    maxRetriesPerRequest: 0,
    // One that loads its data is asked again at least so often; its own estimate can be minutes off.
    maxLoadingRetryTime: RETRY_MAX_MS,
    // A master that became a replica: the address may lead to the new master by now. `true` doesn't resend.
    reconnectOnError: (error: Error) => error.message.startsWith('READONLY'),
  } satisfies RedisOptions;
}

export function connect(address: Address, purpose: 'commit' | 'hints', commandTimeoutMs: number): Client {
  const common = { ...commonOptions(commandTimeoutMs), connectionName: `rehydra-${purpose}` };
  if (address.kind === 'single') {
    return new Redis(address.url, {
      ...common,
      enableOfflineQueue: false,
      retryStrategy: retryDelayMs,
      // We subscribe again ourselves, because watchers must be told that they may have missed something.
      autoResubscribe: false,
    });
  }
  const { username, password, tls } = address;
  return new Cluster([...address.nodes], {
    enableOfflineQueue: false,
    shardedSubscribers: purpose === 'hints',
    clusterRetryStrategy: retryDelayMs,
    // A node that died is replaced by its replica after seconds; within the command's time we ask again.
    maxRedirections: 8,
    retryDelayOnFailover: 200,
    retryDelayOnClusterDown: 200,
    redisOptions: {
      ...common,
      ...(username === undefined ? {} : { username }),
      ...(password === undefined ? {} : { password }),
      ...(tls ? { tls: {} } : {}),
    },
  });
}

export function untilReady(client: Client, label: string, withinMs: number): Promise<void> {
  if (client.status === 'ready') return Promise.resolve();
  return new Promise((resolve, reject) => {
    let lastError = '';
    const settle = (error?: Error) => {
      timer.cancel();
      client.off('error', onError);
      client.off('ready', onReady);
      if (error === undefined) resolve();
      else reject(error);
    };
    const onError = (error: Error) => {
      lastError = error.message;
      // A wrong password does not become right by asking again.
      if (isDenied(error)) settle(storeFailure(error));
    };
    const onReady = () => settle();
    const timer = startTimer(withinMs, () => {
      settle(storeError('STORE_UNAVAILABLE', `${label} did not answer within ${withinMs} ms. ${lastError}`));
    });
    client.on('error', onError);
    client.once('ready', onReady);
  });
}
