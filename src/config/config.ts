/**
 * The only reader of the environment. One precedence: environment, then default; an empty variable counts as unset.
 * What comes out has no maybe left in it where a value is needed.
 */
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { isIP } from 'node:net';
import { z } from 'zod';
import { parseKeys, type SealingKeys } from '../sealing/keys.ts';
import { contradictions } from './contradictions.ts';
import { parseExtraBody } from './extra-body.ts';
import { type Environment, readVariables, unusable } from './read.ts';
import { simulatedAnswers, simulatorSchema } from './simulator.ts';
import {
  checked,
  count,
  days,
  flag,
  milliseconds,
  modelUrls,
  port,
  postgresUrl,
  redisUrl,
  storeUrl,
} from './values.ts';
import { warnings } from './warnings.ts';

export const environmentSchema = z.object({
  HOST: z.string().default('127.0.0.1').describe('address to listen on'),
  PORT: port(8080).describe('port to listen on; 0 takes a free one'),
  REDIS_URL: redisUrl
    .optional()
    .describe(
      '`redis://`, `rediss://` or `redis+cluster://host:port,host:port`; unset: the embedded store in `DATA_DIR`',
    ),
  REDIS_ALLOW_EVICTION: flag.describe('start on a Redis that may evict live sessions'),
  DATA_DIR: z.string().default('./data').describe('folder of the embedded store; `:memory:` keeps nothing'),
  DATABASE_URL: postgresUrl
    .optional()
    .describe('`postgres://…` for the archive of ended conversations; unset: an embedded file in `DATA_DIR`'),
  ARCHIVE_RETENTION_DAYS: days(7).describe('ended conversations are deleted after this'),
  DATA_KEYS: checked(keysProblem)
    .optional()
    .describe(
      'seals what is said before it is stored: `id:base64` of 32 bytes; of several, with commas between, the first writes and all read; unset: stored as it is',
    ),
  DATA_KEYS_FILE: checked(keysFileProblem).optional().describe('a file with the same, one key a line'),
  DATA_PLAIN: z
    .enum(['read', 'refuse'])
    .default('read')
    .describe('what becomes of values stored without a key, once there is one'),
  STORE_ROLLOUT: z.coerce
    .number()
    .min(0)
    .max(100)
    .default(0)
    .describe(
      'percent of new sessions that are made in `STORE_ROLLOUT_URL`; existing ones stay where they are',
    ),
  STORE_ROLLOUT_URL: storeUrl
    .optional()
    .describe(
      'the store to move to, as `REDIS_URL` or `sqlite:DIR`; set it on every instance, with a share of 0, before raising the share',
    ),
  VLLM_BASE_URL: modelUrls
    .optional()
    .describe(
      'one or several model servers, comma-separated, each ending in `/v1`; unset: the built-in simulator answers',
    ),
  VLLM_MODEL: z.string().optional().describe('unset: the first of `/v1/models`'),
  VLLM_API_KEY: z.string().optional().describe('sent as bearer token'),
  VLLM_EXTRA_BODY: z
    .string()
    .transform((text, refused) => {
      const parsed = parseExtraBody(text);
      if (parsed.kind === 'parsed') return parsed.body;
      refused.addIssue({ code: 'custom', message: parsed.why });
      return z.NEVER;
    })
    .optional()
    .describe(
      'a JSON object whose fields go into every generation request, such as `{"chat_template_kwargs":{"enable_thinking":false}}`; it may not set what each request sets itself, such as `model`, `messages` or `stream`',
    ),
  INSTANCE_ID: z
    .string()
    .regex(/^[\w.-]{1,64}$/, { error: 'is not made of letters, digits, "_", "." and "-", at most 64' })
    .optional()
    .describe('shown in `welcome.instance`; unset: random'),
  SESSION_IDLE_MS: milliseconds(3_600_000, 1).describe(
    'a session without activity ends after this, and at the latest at its absolute end',
  ),
  SESSION_ABSOLUTE_MS: milliseconds(14_400_000, 1).describe('a session ends after this, whatever happens'),
  SESSION_WARN_MS: milliseconds(60_000).describe(
    '`expiring` is said this long before either end, at most half the idle time',
  ),
  SESSIONS_MAX: count(100_000, 1).describe(
    'sessions awake on one instance; beyond it new ones are refused, none is dropped',
  ),
  SESSIONS_PER_USER_MAX: count(100).describe(
    'living sessions of one user, over all instances; beyond it no more are made, and none is dropped; 0: without bound',
  ),
  RATE_CONNECTIONS_PER_MINUTE: count(0).describe(
    'new sockets and repeated hellos of one address, on one instance; 0: without bound, as for the other rates',
  ),
  RATE_REQUESTS_PER_MINUTE: count(0).describe(
    'HTTP requests of one address; those for health and metrics do not count',
  ),
  RATE_MESSAGES_PER_MINUTE: count(0).describe(
    'messages and extensions of one user, or of one session where nobody is named, over sockets and HTTP',
  ),
  RATE_GUESSES_PER_MINUTE: count(0).describe(
    'lookups of one address that meet no session or a forbidden one; beyond it, it may name no session for a while',
  ),
  TRUST_PROXY: z
    .string()
    .refine((text) => trustProxyOf(text) !== null, {
      error: 'is neither a number of proxies nor a list of addresses and networks',
    })
    .optional()
    .describe(
      'who in front may say whose address a request has: how many proxies there are, or their addresses and networks, comma-separated; unset: nobody',
    ),
  TRUST_PROXY_HEADER: z
    .enum(['x-forwarded-for', 'forwarded'])
    .default('x-forwarded-for')
    .describe('where they say it; the other header is not read'),
  OVERLAP_POLICY: z
    .enum(['queue', 'reject', 'interrupt', 'rollback', 'merge'])
    .default('queue')
    .describe('what a message does while a turn runs, where the message does not say'),
  QUEUE_MAX: count(8, 1).describe('messages that may wait in one session'),
  FRAME_LOG_MAX: count(20_000, 1).describe(
    'durable frames kept per session; more while one turn alone has more',
  ),
  LEASE_MS: milliseconds(3_000, 1).describe("a crashed owner's sessions can be taken after this"),
  HIBERNATE_MS: milliseconds(5_000).describe(
    'a quiet session gives up its lock and memory after this; its sockets stay',
  ),
  GENERATION_FIRST_TOKEN_MS: milliseconds(60_000, 1).describe('the model must begin within this'),
  GENERATION_INTER_TOKEN_MS: milliseconds(15_000, 1).describe('longest silence between two tokens'),
  GENERATION_TOTAL_MS: milliseconds(300_000, 1).describe('one attempt at an answer'),
  GENERATION_ATTEMPTS: count(3, 1).describe('attempts at one answer, each going on from what is stored'),
  GENERATION_MAX_TOKENS: count(2_048, 1).describe('tokens of an answer where the message does not say'),
  CONTEXT_STRATEGY: z
    .string()
    .default('budget')
    .describe(
      'what of a long conversation the model reads: `window:N`, `budget`, `summary`, `adaptive`, joined by `+`',
    ),
  HISTORY_MAX_TOKENS: z.coerce
    .number()
    .int()
    .min(256)
    .optional()
    .describe('most tokens of a prompt; unset: what the model can read'),
  SYSTEM_PROMPT_FILE: z
    .string()
    .optional()
    .describe(
      'replaces the bundled system prompt, and is said in every conversation; unset: the bundled one, where there is patient data',
    ),
  ...simulatedAnswers,
  FLUSH_MS: milliseconds(25).describe('running text is stored this often; the first piece at once'),
  DRAIN_MS: milliseconds(8_000).describe('time to let clients and turns go on SIGTERM'),
  AUDIT_LOG: z
    .string()
    .optional()
    .describe(
      'a file, or `stdout`: one JSON line for each access to a session, who and from where, nothing of what was said; unset: none',
    ),
  LOG_LEVEL: z
    .enum(['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'])
    .default('info')
    .describe('`trace` … `silent`'),
});

/** A service that shares its environment with a simulator's is not warned of that one's variables. */
const KNOWN_NAMES = [
  ...new Set([environmentSchema, simulatorSchema].flatMap(({ shape }) => Object.keys(shape))),
];

export type Config = ReturnType<typeof readConfig>;

/** Whose word on a client's address is taken. */
export type TrustProxy =
  | { readonly kind: 'hops'; readonly hops: number }
  | { readonly kind: 'networks'; readonly networks: readonly Network[] };

export interface Network {
  readonly address: string;
  readonly prefix: number;
}

function trustProxyOf(text: string): TrustProxy | null {
  if (/^\d{1,2}$/.test(text)) return { kind: 'hops', hops: Number(text) };
  const networks = text.split(',').flatMap((part) => networkOf(part.trim()) ?? []);
  return networks.length === text.split(',').length ? { kind: 'networks', networks } : null;
}

function networkOf(text: string): Network | null {
  const [address = '', prefix, ...rest] = text.split('/');
  const bits = isIP(address) === 4 ? 32 : 128;
  const length = prefix === undefined ? bits : Number(prefix);
  const isOne = isIP(address) !== 0 && rest.length === 0 && /^\d{0,3}$/.test(prefix ?? '') && prefix !== '';
  return isOne && length <= bits ? { address, prefix: length } : null;
}

/** Throws an error whose message holds one line for each value that cannot be used. */
export function readConfig(environment: Environment) {
  const read = readVariables(environmentSchema, environment);
  if (read.kind === 'problems') throw unusable(read.problems);
  const { values: env, given } = read;
  const contradicting = contradictions(env, given);
  if (contradicting.length > 0) throw unusable(contradicting);
  return Object.freeze({
    /** Lines for the log. */
    warnings: warnings(env, given, environment, KNOWN_NAMES),
    host: env.HOST.replace(/^\[(.*)\]$/, '$1'),
    port: env.PORT,
    instance: env.INSTANCE_ID ?? randomBytes(6).toString('hex'),
    logLevel: env.LOG_LEVEL,
    auditLog: env.AUDIT_LOG ?? null,
    drainMs: env.DRAIN_MS,
    sealing: sealingOf(env.DATA_KEYS ?? null, env.DATA_KEYS_FILE ?? null, env.DATA_PLAIN),
    store: {
      redisUrl: env.REDIS_URL ?? null,
      allowEviction: env.REDIS_ALLOW_EVICTION,
      dataDir: env.DATA_DIR,
      rollout:
        env.STORE_ROLLOUT_URL === undefined
          ? null
          : { url: env.STORE_ROLLOUT_URL, percent: env.STORE_ROLLOUT },
      leaseMs: env.LEASE_MS,
      frameLogMax: env.FRAME_LOG_MAX,
    },
    archive: {
      databaseUrl: env.DATABASE_URL ?? null,
      dataDir: env.DATA_DIR,
      retentionMs: env.ARCHIVE_RETENTION_DAYS * 86_400_000,
    },
    session: {
      limits: {
        idleMs: env.SESSION_IDLE_MS,
        absoluteMs: env.SESSION_ABSOLUTE_MS,
        warnMs: env.SESSION_WARN_MS,
        queueMax: env.QUEUE_MAX,
        attemptsMax: env.GENERATION_ATTEMPTS,
        resumesMax: 16,
      },
      defaultPolicy: env.OVERLAP_POLICY,
      hibernateMs: env.HIBERNATE_MS,
      flushMs: env.FLUSH_MS,
      sessionsMax: env.SESSIONS_MAX,
      sessionsPerUserMax: env.SESSIONS_PER_USER_MAX,
    },
    limits: {
      connectionsPerMinute: env.RATE_CONNECTIONS_PER_MINUTE,
      requestsPerMinute: env.RATE_REQUESTS_PER_MINUTE,
      messagesPerMinute: env.RATE_MESSAGES_PER_MINUTE,
      guessesPerMinute: env.RATE_GUESSES_PER_MINUTE,
    },
    proxy: {
      trust: trustProxyOf(env.TRUST_PROXY ?? '0') ?? { kind: 'hops', hops: 0 },
      header: env.TRUST_PROXY_HEADER,
    },
    /** Of the built-in simulator, which answers where no VLLM_BASE_URL is set. */
    simulator: {
      tokens: env.SIMULATOR_TOKENS,
      tokensPerSecond: env.SIMULATOR_TOKENS_PER_SECOND,
      firstTokenMs: env.SIMULATOR_FIRST_TOKEN_MS,
    },
    conversation: {
      strategy: env.CONTEXT_STRATEGY,
      historyMaxTokens: env.HISTORY_MAX_TOKENS ?? null,
      systemPromptPath: env.SYSTEM_PROMPT_FILE ?? null,
    },
    generation: {
      baseUrls: env.VLLM_BASE_URL?.split(',').flatMap((url) => url.trim() || []) ?? [],
      model: env.VLLM_MODEL ?? null,
      apiKey: env.VLLM_API_KEY ?? null,
      extraBody: env.VLLM_EXTRA_BODY ?? {},
      firstTokenMs: env.GENERATION_FIRST_TOKEN_MS,
      interTokenMs: env.GENERATION_INTER_TOKEN_MS,
      totalMs: env.GENERATION_TOTAL_MS,
      maxTokens: env.GENERATION_MAX_TOKENS,
    },
  });
}

function sealingOf(given: string | null, path: string | null, plain: SealingKeys['plain']): SealingKeys {
  if (given === null && path === null) return { keys: [], plain: 'read' };
  const parsed = parseKeys(given ?? readFileSync(path ?? '', 'utf8'));
  if (parsed.kind === 'wrong') throw unusable([`DATA_KEYS_FILE ${parsed.why}`]);
  return { keys: parsed.keys, plain };
}

function keysProblem(text: string): string | null {
  const parsed = parseKeys(text);
  return parsed.kind === 'wrong' ? parsed.why : null;
}

function keysFileProblem(path: string): string | null {
  try {
    return keysProblem(readFileSync(path, 'utf8'));
  } catch {
    return 'names a file that cannot be read';
  }
}
