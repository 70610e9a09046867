/**
 * Observes running programs from outside: their counters, the upstream's load, the keys in Redis, the model's answer.
 * Nothing here looks into a process.
 */
import { connect } from 'node:net';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { Redis } from 'ioredis';
import type { DurableFrame } from '../../../src/protocol/server-frames.ts';

const WITHIN_MS = 60_000;
const LOOK_EVERY_MS = 20;

/** Reads until the condition holds; the time is a bound on a wait, not a measurement. */
export async function eventually<T>(
  what: string,
  read: () => T | Promise<T>,
  holds: (value: T) => boolean,
  withinMs: number = WITHIN_MS,
  everyMs: number = LOOK_EVERY_MS,
): Promise<T> {
  const deadlineMs = Date.now() + withinMs;
  for (;;) {
    const value = await read();
    if (holds(value)) return value;
    if (Date.now() > deadlineMs)
      throw new Error(`${what}: not within ${withinMs} ms, ${JSON.stringify(value)}`);
    await sleep(everyMs);
  }
}

/** The sum of a metric's samples that carry all the given labels; 0 if there is none. */
export async function metric(
  http: string,
  name: string,
  labels: Readonly<Record<string, string>> = {},
): Promise<number> {
  const text = await (await fetch(`${http}/metrics`)).text();
  const wanted = Object.entries(labels).map(([label, value]) => `${label}="${value}"`);
  let sum = 0;
  for (const line of text.split('\n')) {
    if (!line.startsWith(`${name}{`) && !line.startsWith(`${name} `)) continue;
    if (wanted.every((label) => line.includes(label))) sum += Number(line.slice(line.lastIndexOf(' ') + 1));
  }
  return sum;
}

/** `url` ends in /v1, as VLLM_BASE_URL does. */
export function running(url: string): Promise<number> {
  return metric(url.slice(0, -'/v1'.length), 'vllm:num_requests_running');
}

export interface Said {
  readonly role: 'user' | 'assistant';
  readonly content: string;
}

/** The model's answer to a conversation, without a stream and without the pace that a message asks for. */
export async function plainAnswer(
  url: string,
  messages: readonly Said[],
  maxTokens = 2_048,
): Promise<string> {
  const response = await fetch(`${url}/chat/completions`, {
    method: 'POST',
    // The pace is not part of the answer.
    headers: { 'content-type': 'application/json', 'x-simulator-fault': 'tps=0,first-token-ms=0' },
    body: JSON.stringify({ model: 'rehydra/simulator', messages, max_tokens: maxTokens, temperature: 0.7 }),
  });
  if (!response.ok) throw new Error(`the simulator answered ${response.status}: ${await response.text()}`);
  const body = (await response.json()) as {
    readonly choices: readonly [{ readonly message: { readonly content: string } }];
  };
  return body.choices[0].message.content;
}

/** Every key that names the session, and every deadline index that lists it. */
export async function tracesOf(redisUrl: string, sessionId: string): Promise<readonly string[]> {
  return withRedis(redisUrl, async (redis) => {
    const found: string[] = [];
    let cursor = '0';
    do {
      const [next, keys] = await redis.scan(cursor, 'COUNT', 1_000);
      cursor = next;
      for (const key of keys) {
        if (key.includes(sessionId)) found.push(key);
        else if (key.endsWith(':due') && (await redis.zscore(key, sessionId)) !== null) found.push(key);
      }
    } while (cursor !== '0');
    return found;
  });
}

export async function withRedis<T>(url: string, body: (redis: Redis) => Promise<T>): Promise<T> {
  const redis = new Redis(url, { protocol: 2, replyMapping: 'legacy', lazyConnect: true });
  await redis.connect();
  try {
    return await body(redis);
  } finally {
    redis.disconnect();
  }
}

/** The text of a turn, from the frames of any client. */
export function textOf(frames: readonly DurableFrame[], turnId: string): string {
  return frames
    .filter((frame) => frame.type === 'delta')
    .filter((frame) => frame.turn_id === turnId)
    .map((frame) => frame.text)
    .join('');
}

export function countUp(from: number, to: number): readonly number[] {
  return Array.from({ length: Math.max(0, to - from + 1) }, (_, index) => from + index);
}

export interface RedisWitness {
  /** Every command from a client, not from a script, in the order of execution. */
  readonly calls: readonly (readonly string[])[];
  /** Resolves once `calls` has every command that Redis executed before. */
  caughtUp(): Promise<void>;
  stop(): void;
}

/** Reads MONITOR without ioredis, which takes a line before its own reply for a protocol error. */
export async function witness(redisUrl: string): Promise<RedisWitness> {
  const { hostname, port } = new URL(redisUrl);
  const calls: (readonly string[])[] = [];
  const socket = connect(Number(port), hostname);
  const lines = createInterface({ input: socket });
  const started = new Promise<void>((resolve) => {
    lines.on('line', (line) => {
      if (line === '+OK') return resolve();
      if (/^\+[\d.]+ \[\d+ lua\]/.test(line)) return;
      const words = [...line.matchAll(/"((?:[^"\\]|\\.)*)"/g)].map(([, word]) => word ?? '');
      calls.push(words);
    });
  });
  socket.write('MONITOR\r\n');
  await started;
  let marks = 0;
  return {
    calls,
    async caughtUp() {
      marks += 1;
      const mark = `caught-up-${marks}`;
      await withRedis(redisUrl, (redis) => redis.echo(mark));
      await eventually(
        'the monitor',
        () => calls.some((words) => words.includes(mark)),
        (isThere) => isThere,
      );
    },
    stop: () => void socket.destroy(),
  };
}
