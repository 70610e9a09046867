/**
 * Sends every command; all calls of one event-loop turn go to the server in one write.
 *
 *  BATCH-1  Calls leave in the order in which their callers made them.
 *  BATCH-2  The batch sends a call once. If its connection dies, the batch rejects the call as unknown; only the caller
 *           knows the write id and may send it again.
 *  BATCH-3  Without a connection the batch rejects calls immediately: no queue grows during an outage.
 *  BATCH-4  Every call settles within a bounded time. A log page that never came would silence a client forever.
 *
 * ioredis' pipeline and auto-pipelining keep two promises and a position per call: at equal work they take 1.9 times the
 * CPU of this file and give half the calls per second. A Redis Cluster has a connection per node, so each call there is
 * a write of its own.
 */
import { setImmediate } from 'node:timers';
import { type Cluster, Command, type Redis } from 'ioredis';
import { startTimer } from '../../clock.ts';
import { redisError, redisFailure } from './failure.ts';
import type { Script } from './scripts.ts';

export type Argument = string | number;

export interface Batch {
  /** Runs a script by its hash; if the server does not know it, repeats that call with the text. */
  call(script: Script, keys: readonly string[], args: readonly Argument[]): Promise<unknown>;
  send(command: 'evalsha' | 'eval' | 'spublish', args: readonly Argument[]): Promise<unknown>;
  close(): void;
}

type Send = Batch['send'];

/** The former node of the slot, and the new one. */
const TRIES_IN_CLUSTER = 2;

export function createBatch(client: Redis | Cluster, commandTimeoutMs: number): Batch {
  const transmit = client.isCluster
    ? sendToCluster(client as Cluster, commandTimeoutMs)
    : sendTogether(client as Redis);
  let closed = false;

  const send: Send = async (command, args) => {
    if (closed) throw redisError('STORE_CLOSED', 'closed');
    try {
      return await transmit(command, args);
    } catch (cause) {
      throw redisFailure(cause);
    }
  };

  return {
    send,
    async call(script, keys, args) {
      try {
        return await send('evalsha', [script.sha, keys.length, ...keys, ...args]);
      } catch (error) {
        if (!isScriptMissing(error)) throw error;
        return send('eval', [script.text, keys.length, ...keys, ...args]);
      }
    },
    close() {
      closed = true;
    },
  };
}

function isScriptMissing(error: unknown): boolean {
  const cause = error instanceof Error ? error.cause : undefined;
  return cause instanceof Error && cause.message.startsWith('NOSCRIPT');
}

function sendTogether(redis: Redis): Send {
  let waiting: Command[] = [];

  function flush(): void {
    const commands = waiting;
    waiting = [];
    const chunks: (string | Buffer)[] = [];
    const collector = {
      isPipeline: true as const,
      destination: { redis: { stream: redis.stream } },
      write: (data: string | Buffer) => chunks.push(data),
    };
    // Without a connection, sendCommand rejects the command and writes nothing.
    for (const command of commands) {
      const traced = redis.sendCommand(command, collector);
      // With a tracer on ioredis this is a second promise that no caller awaits: its rejection must not end the process.
      if (traced !== command.promise) Promise.resolve(traced).catch(() => {});
    }
    if (chunks.length === 0) return;
    const isText = chunks.every((chunk) => typeof chunk === 'string');
    redis.stream.write(isText ? chunks.join('') : Buffer.concat(chunks.map((chunk) => Buffer.from(chunk))));
  }

  return (name, args) => {
    const command = new Command(name, [...args], { replyEncoding: 'utf8' });
    if (waiting.push(command) === 1) setImmediate(flush);
    return command.promise;
  };
}

/**
 * Sends each call on its own; ioredis finds the node of its slot and follows redirections. Its auto-pipelining miscounts
 * replies on ASK, while a slot moves, and leaves every call of the pipeline unsettled. The driver's timeout misses some
 * calls that wait for a moving slot, so each call has a timer here (BATCH-4).
 */
function sendToCluster(cluster: Cluster, commandTimeoutMs: number): Send {
  return (name, args) =>
    new Promise((resolve, reject) => {
      const givenUp = startTimer(TRIES_IN_CLUSTER * commandTimeoutMs, () =>
        reject(redisError('STORE_TIMEOUT', 'the cluster gave no answer')),
      );
      const command = new Command(name, [...args], { replyEncoding: 'utf8' });
      Promise.resolve(cluster.sendCommand(command)).finally(givenUp.cancel).then(resolve, reject);
    });
}
