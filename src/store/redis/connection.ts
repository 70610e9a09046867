/**
 * Opens and watches the connections of a store: one writes and reads, the other listens for hints.
 *
 *  REDIS-CONN-1  ioredis queues nothing and resends nothing: no offline queue, no automatic resend. A commit with a lost
 *                reply would run twice without its caller, and only the caller knows the write id.
 *  REDIS-CONN-2  ioredis rejects pending calls as soon as their connection dies (`maxRetriesPerRequest: 0`); by default
 *                they would wait for their timeout.
 *  REDIS-CONN-3  Reconnection never ends, backs off and has jitter: instances must not overrun a Redis that comes back.
 *  REDIS-CONN-4  A connection that stays silent while a reply is due is closed (`socketTimeout`). Otherwise the kernel
 *                would need minutes to notice a power cut or a dropped route.
 *  REDIS-CONN-5  The log has one line when a connection first fails for a reason, unless another connection already
 *                fails for it; and one line when every connection is ready again.
 *
 * RESP2 on purpose: our scripts return only integers, strings and arrays, and some proxies do not know HELLO.
 */
import { Cluster, Redis, type RedisOptions } from 'ioredis';
import { startTimer } from '../../clock.ts';
import { isDenied, redisError, redisFailure } from './failure.ts';

export type Client = Redis | Cluster;
export type Log = (
  level: 'info' | 'warn' | 'error',
  message: string,
  fields: Record<string, unknown>,
) => void;

/** `redis://…`, `rediss://…`, or `redis+cluster://user:password@host:port,host:port`. */
export type Address =
  | { readonly kind: 'single'; readonly url: string; readonly label: string }
  | {
      readonly kind: 'cluster';
      readonly nodes: readonly { readonly host: string; readonly port: number }[];
      readonly username?: string;
      readonly password?: string;
      readonly tls: boolean;
      readonly label: string;
    };

/** A password may hold an @, and a query is refused: what follows the last @ is shown in logs. */
const CLUSTER = /^(rediss?)\+cluster:\/\/(?:(.*)@)?([^/?#@]+)\/?$/;
const DEFAULT_PORT = 6379;
const RETRY_FIRST_MS = 50;
const RETRY_MAX_MS = 2_000;
const CONNECT_TIMEOUT_MS = 5_000;
const KEEP_ALIVE_MS = 15_000;

export function parseAddress(url: string): Address {
  const match = CLUSTER.exec(url);
  if (match === null) {
    if (!/^rediss?:\/\//.test(url))
      throw new Error('a Redis URL starts with redis://, rediss:// or redis+cluster://');
    // Logs and health show the label, so it has no credentials.
    return { kind: 'single', url, label: new URL(url).host };
  }
  const [, scheme, credentials, hosts = ''] = match;
  const nodes = hosts.split(',').map((text) => {
    const { hostname, port } = new URL(`redis://${text}`);
    return { host: hostname, port: port === '' ? DEFAULT_PORT : Number(port) };
  });
  const [username = '', ...password] = (credentials ?? '').split(':');
  return {
    kind: 'cluster',
    nodes,
    tls: scheme === 'rediss',
    label: hosts,
    ...(username === '' ? {} : { username: decodeURIComponent(username) }),
    ...(password.length === 0 ? {} : { password: decodeURIComponent(password.join(':')) }),
  };
}

/** Exponential back-off with full jitter; the floor spares a port that refuses connections. */
export function retryDelayMs(attempt: number): number {
  const ceiling = Math.min(RETRY_MAX_MS, RETRY_FIRST_MS * 2 ** Math.min(attempt, 10));
  return RETRY_FIRST_MS / 2 + Math.round(Math.random() * ceiling);
}

function commonOptions(commandTimeoutMs: number) {
  return {
    protocol: 2,
    replyMapping: 'legacy',
    autoResendUnfulfilledCommands: false,
    socketTimeout: 2 * commandTimeoutMs,
    connectTimeout: CONNECT_TIMEOUT_MS,
    keepAlive: KEEP_ALIVE_MS,
    noDelay: true,
    maxRetriesPerRequest: 0,
    // Redis' own estimate of its loading time can be minutes off.
    maxLoadingRetryTime: RETRY_MAX_MS,
    // The master became a replica: its address may lead to the new master by now. `true` does not resend.
    reconnectOnError: (error: Error) => error.message.startsWith('READONLY'),
  } satisfies RedisOptions;
}

export function connect(address: Address, purpose: 'commit' | 'hints', commandTimeoutMs: number): Client {
  const common = {
    ...commonOptions(commandTimeoutMs),
    connectionName: `rehydra-${purpose}`,
    // The batch limits the time of its calls: a timer of the driver per call would cost more than the rest of it.
    ...(purpose === 'hints' ? { commandTimeout: commandTimeoutMs } : {}),
  };
  if (address.kind === 'single') {
    return new Redis(address.url, {
      ...common,
      enableOfflineQueue: false,
      retryStrategy: retryDelayMs,
      // The subscriber does it, because it must also hint what its watchers may have missed.
      autoResubscribe: false,
    });
  }
  const { username, password, tls } = address;
  return new Cluster([...address.nodes], {
    enableOfflineQueue: false,
    shardedSubscribers: purpose === 'hints',
    clusterRetryStrategy: retryDelayMs,
    // A replica replaces a dead node after seconds: retry within the command's time.
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
      // A retry cannot make a wrong password right.
      if (isDenied(error)) settle(redisFailure(error));
    };
    const onReady = () => settle();
    const timer = startTimer(withinMs, () => {
      settle(redisError('STORE_UNAVAILABLE', `${label} did not answer within ${withinMs} ms. ${lastError}`));
    });
    client.on('error', onError);
    client.once('ready', onReady);
  });
}

/** The events of both ioredis clients. */
export interface Connection {
  on(event: 'error', listener: (error: Error) => void): unknown;
  on(event: 'ready', listener: () => void): unknown;
}

export function logConnections(connections: readonly Connection[], label: string, log: Log): void {
  const reasonsOfFailing = new Map<Connection, string>();
  for (const connection of connections) {
    // Without a listener ioredis prints to the console.
    connection.on('error', ({ message }) => {
      const isKnown = [...reasonsOfFailing.values()].includes(message);
      reasonsOfFailing.set(connection, message);
      if (!isKnown) log('warn', 'redis connection', { redis: label, error: message });
    });
    connection.on('ready', () => {
      if (reasonsOfFailing.delete(connection) && reasonsOfFailing.size === 0)
        log('info', 'redis connected again', { redis: label });
    });
  }
}
