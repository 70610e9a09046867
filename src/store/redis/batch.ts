/**
 * Sends every command; all calls of one event-loop turn go to a server in one write.
 *
 *  BATCH-1  Calls to one server leave in the order in which their callers made them.
 *  BATCH-2  The batch sends a call once. If its connection dies, the batch rejects the call as unknown; only the caller
 *           knows the write id and may send it again. In a cluster the driver sends it again after a redirection or a
 *           failover.
 *  BATCH-3  Without a connection the batch rejects calls immediately: no queue grows during an outage.
 *  BATCH-4  Every call settles within a bounded time. A log page that never came would silence a client forever.
 *
 * ioredis' pipeline and auto-pipelining keep two promises and a position per call: at equal work they take several times
 * the CPU of this file.
 */
import { setImmediate } from 'node:timers';
import { type Cluster, Command, type Redis } from 'ioredis';
import { startTimer } from '../../clock.ts';
import { type Argument, Call, encoded } from './call.ts';
import { redisError, redisFailure } from './failure.ts';
import type { Script } from './scripts.ts';

export type { Argument } from './call.ts';

/** Keys of a script that is called often with them: they are encoded once. */
export interface KeyList {
  readonly names: readonly string[];
  readonly text: string;
}

export function keyList(names: readonly string[]): KeyList {
  return { names, text: encoded(names.length) + names.map(encoded).join('') };
}

export interface Batch {
  /** Runs a script by its hash; if the server does not know it, repeats that call with the text. */
  call(script: Script, keys: readonly string[] | KeyList, args: readonly Argument[]): Promise<unknown>;
  send(command: 'evalsha' | 'eval' | 'spublish', args: readonly Argument[]): Promise<unknown>;
  close(): void;
}

/** One command: `text` is the whole in RESP, `words` its arguments, `key` the first key. */
interface Request {
  readonly name: 'evalsha' | 'eval' | 'spublish';
  readonly text: string;
  readonly key: string;
  readonly words: () => readonly Argument[];
}

type Settle = (value: unknown) => void;
type Transmit = (request: Request, onReply: Settle, onError: Settle) => void;

export function createBatch(client: Redis | Cluster, commandTimeoutMs: number): Batch {
  const transmit = client.isCluster
    ? toCluster(client as Cluster, commandTimeoutMs)
    : toServer(client as Redis, commandTimeoutMs);
  let closed = false;

  function start(request: Request, onReply: Settle, onError: Settle): void {
    if (closed) onError(redisError('STORE_CLOSED', 'closed'));
    else transmit(request, onReply, onError);
  }

  return {
    send: (name, args) =>
      new Promise((resolve, reject) =>
        start(requestOf(name, args), resolve, (cause) => reject(redisFailure(cause))),
      ),
    call: (script, keys, args) =>
      new Promise((resolve, reject) => {
        const list = isKeyList(keys) ? keys : keyList(keys);
        start(scriptRequest(script, list, args), resolve, (cause) => {
          if (!isScriptMissing(cause)) return reject(redisFailure(cause));
          const words = [script.text, list.names.length, ...list.names, ...args];
          start(requestOf('eval', words), resolve, (error) => reject(redisFailure(error)));
        });
      }),
    close() {
      closed = true;
    },
  };
}

function isKeyList(keys: readonly string[] | KeyList): keys is KeyList {
  return 'text' in keys;
}

function isScriptMissing(error: unknown): boolean {
  return error instanceof Error && error.message.startsWith('NOSCRIPT');
}

function scriptRequest({ sha, head }: Script, { names, text }: KeyList, args: readonly Argument[]): Request {
  let rest = '';
  for (const argument of args) rest += encoded(argument);
  return {
    name: 'evalsha',
    text: `*${3 + names.length + args.length}\r\n${head}${text}${rest}`,
    key: names[0] ?? '',
    words: () => [sha, names.length, ...names, ...args],
  };
}

function requestOf(name: Request['name'], args: readonly Argument[]): Request {
  const key = String(name === 'spublish' ? args[0] : args[2]);
  const text = `*${args.length + 1}\r\n${encoded(name)}${args.map(encoded).join('')}`;
  return { name, text, key, words: () => args };
}

/** Writes the calls of one event-loop turn to one server together, and limits their time together. */
function toServer(redis: Redis, timeoutMs: number): Transmit {
  let waiting: Call[] = [];

  function flush(): void {
    const calls = waiting;
    waiting = [];
    let text = '';
    const collector = {
      isPipeline: true as const,
      destination: { redis: { stream: redis.stream } },
      write: (data: string | Buffer) => {
        text += data;
      },
    };
    // Without a connection, sendCommand rejects the command and writes nothing.
    for (const call of calls) void redis.sendCommand(call.command, collector);
    if (text === '') return;
    redis.stream.write(text);
    limitTime(calls, timeoutMs);
  }

  return ({ name, text }, onReply, onError) => {
    if (waiting.push(new Call(name, text, onReply, onError)) === 1) setImmediate(flush);
  };
}

/** BATCH-4 */
function limitTime(calls: readonly Call[], timeoutMs: number): void {
  let open = 0;
  const timer = startTimer(timeoutMs, () => {
    for (const call of calls) call.reject(redisError('STORE_TIMEOUT', 'Command timed out'));
  });
  const onSettled = () => {
    open -= 1;
    if (open === 0) timer.cancel();
  };
  for (const call of calls) {
    if (call.isSettled) continue;
    open += 1;
    call.onSettled = onSettled;
  }
  if (open === 0) timer.cancel();
}

/** The former node of the slot, and the new one. */
const TRIES_IN_CLUSTER = 2;
/** Errors after which the driver sends a call to another node. */
const ELSEWHERE = /^(MOVED|ASK|TRYAGAIN|CLUSTERDOWN)\b|^Connection is closed|^Stream isn't writeable/;

/**
 * Writes the calls of one event-loop turn to each node together. While a slot moves or a node is down, ioredis sends the
 * call on its own, and follows redirections.
 */
function toCluster(cluster: Cluster, timeoutMs: number): Transmit {
  const alone = toClusterAlone(cluster, timeoutMs);
  const servers = new WeakMap<Redis, Transmit>();
  const slots = new Map<string, number | null>();
  let nodes = new Map<string, Redis>();

  function slotOf(request: Request): number | null {
    const tag = /\{(.+?)\}/.exec(request.key)?.[1] ?? request.key;
    const known = slots.get(tag);
    if (known !== undefined) return known;
    const slot = new Command(request.name, [...request.words()]).getSlot();
    slots.set(tag, slot);
    return slot;
  }

  /** The node of the slot, as far as the driver knows it; null while it is not ready. */
  function nodeOf(slot: number | null): Redis | null {
    const name = slot === null ? undefined : cluster.slots[slot]?.[0];
    if (name === undefined) return null;
    if (nodes.get(name)?.status !== 'ready')
      nodes = new Map(cluster.nodes('master').map((node) => [nameOf(node), node]));
    const node = nodes.get(name);
    return node?.status === 'ready' ? node : null;
  }

  return (request, onReply, onError) => {
    const node = request.name === 'evalsha' && cluster.status === 'ready' ? nodeOf(slotOf(request)) : null;
    if (node === null) return alone(request, onReply, onError);
    let transmit = servers.get(node);
    if (transmit === undefined) {
      transmit = toServer(node, timeoutMs);
      servers.set(node, transmit);
    }
    transmit(request, onReply, (error) => {
      if (error instanceof Error && ELSEWHERE.test(error.message)) alone(request, onReply, onError);
      else onError(error);
    });
  };
}

function nameOf({ options }: Redis): string {
  return `${options.host}:${options.port}`;
}

/** The driver's own timeout misses some calls that wait for a moving slot, so each call has a timer here (BATCH-4). */
function toClusterAlone(cluster: Cluster, timeoutMs: number): Transmit {
  return ({ name, words }, onReply, onError) => {
    const givenUp = startTimer(TRIES_IN_CLUSTER * timeoutMs, () =>
      onError(redisError('STORE_TIMEOUT', 'the cluster gave no answer')),
    );
    const command = new Command(name, [...words()], { replyEncoding: 'utf8' });
    Promise.resolve(cluster.sendCommand(command)).finally(givenUp.cancel).then(onReply, onError);
  };
}
