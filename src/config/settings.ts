/** Settings lists every environment variable with its default and meaning, as `--help` and docs/CONFIGURATION.md print them. */
import { z } from 'zod';
import { overlapPolicySchema } from '../../machines/vocabulary.ts';
import { identitySettings } from './identity.ts';
import {
  auditKey,
  auditKeyFile,
  count,
  dataKeys,
  dataKeysFile,
  days,
  extraBody,
  flag,
  milliseconds,
  modelUrls,
  optionalPort,
  pemFile,
  port,
  postgresUrl,
  rate,
  redisUrl,
  storeUrl,
  trustProxy,
  workers,
} from './values.ts';
import { allowedHosts, allowedOrigins } from './web.ts';

/** Settings of the simulator inside the service and of the simulator as a program. */
const simulatedAnswers = {
  SIMULATOR_TOKENS: count(64).describe(
    'shortest answer of the simulator in tokens; an answer ends with a sentence',
  ),
  SIMULATOR_TOKENS_PER_SECOND: count(50).describe('speed of the simulator; 0: as fast as it can'),
  SIMULATOR_FIRST_TOKEN_MS: milliseconds(0).describe('wait of the simulator before its first token'),
};

export const simulatorSchema = z.object({
  SIMULATOR_HOST: z.string().default('127.0.0.1').describe('address to listen on'),
  SIMULATOR_PORT: port(8000).describe('port to listen on; 0: any free port'),
  ...simulatedAnswers,
  SIMULATOR_MAX_MODEL_LEN: count(32_768, 1).describe('longest context of the simulated model, in tokens'),
  SIMULATOR_API_KEY: z.string().optional().describe('bearer token that a client must send; unset: none'),
});

/** Settings that the service and `npm run audit` share. */
const auditKeys = {
  AUDIT_KEY: auditKey
    .optional()
    .describe(
      'base64 of 32 bytes, such as `openssl rand -base64 32`: each line of the audit log carries a keyed hash that also covers the line before it; `npm run audit -- verify FILE…` checks them; unset: none',
    ),
  AUDIT_KEY_FILE: auditKeyFile.optional().describe('a file with such a key, instead of `AUDIT_KEY`'),
};

export const auditKeysSchema = z.object(auditKeys);

export const environmentSchema = z.object({
  HOST: z.string().default('127.0.0.1').describe('address to listen on'),
  PORT: port(8080).describe('port to listen on; 0: any free port'),
  TLS_CERT: pemFile
    .optional()
    .describe(
      'file with the certificate in PEM form, the intermediate ones after it; both ports then serve TLS; unset: plain',
    ),
  TLS_KEY: pemFile.optional().describe('file with the private key of `TLS_CERT`, in PEM form'),
  ADMIN_PORT: optionalPort.describe(
    'a port of its own for metrics, dashboard, figures, search and export of the archive, and erasure of users; 0: any free port; unset: they are on `PORT`',
  ),
  ADMIN_HOST: z.string().default('127.0.0.1').describe('address to listen on for `ADMIN_PORT`'),
  WORKERS: workers.describe(
    'processes that share the port, each an instance of its own; `auto`: one for each core; more than 1 needs Linux and `REDIS_URL`',
  ),
  REDIS_URL: redisUrl
    .optional()
    .describe(
      '`redis://`, `rediss://` or `redis+cluster://host:port,host:port`; unset: the embedded store in `DATA_DIR`',
    ),
  REDIS_ALLOW_EVICTION: flag.describe('start even if Redis may evict live sessions'),
  DATA_DIR: z
    .string()
    .default('./data')
    .describe('folder of the embedded store; `:memory:` keeps sessions in memory and loses them on exit'),
  DATABASE_URL: postgresUrl
    .optional()
    .describe('`postgres://…` for the archive of ended conversations; unset: an embedded file in `DATA_DIR`'),
  ARCHIVE_RETENTION_DAYS: days(7).describe('the archive deletes a conversation this long after its end'),
  DATA_KEYS: dataKeys
    .optional()
    .describe(
      'keys that encrypt conversations before they are stored, comma-separated: `id:base64` of 32 bytes; the first one encrypts, all decrypt; unset: stored unencrypted',
    ),
  DATA_KEYS_FILE: dataKeysFile
    .optional()
    .describe(
      'a file with such keys, one per line, instead of `DATA_KEYS`; instances read it again on SIGHUP and once a minute',
    ),
  DATA_PLAIN: z
    .enum(['read', 'refuse'])
    .default('read')
    .describe(
      'with keys set: what to do with values that were stored unencrypted; `npm run keys -- verify` says when they may be refused',
    ),
  STORE_ROLLOUT: z.coerce
    .number()
    .min(0)
    .max(100)
    .default(0)
    .describe('percent of new sessions that start in `STORE_ROLLOUT_URL`; existing sessions do not move'),
  STORE_ROLLOUT_URL: storeUrl
    .optional()
    .describe(
      'the store to move to, as `REDIS_URL` or `sqlite:DIR`; set it on every instance before you raise `STORE_ROLLOUT` above 0',
    ),
  VLLM_BASE_URL: modelUrls
    .optional()
    .describe(
      'one or more model servers, comma-separated, each ending in `/v1`; unset: the built-in simulator answers',
    ),
  VLLM_MODEL: z.string().optional().describe('name of the model; unset: the first of `/v1/models`'),
  VLLM_API_KEY: z.string().optional().describe('bearer token for the model servers'),
  VLLM_EXTRA_BODY: extraBody
    .optional()
    .describe(
      'a JSON object whose fields are added to every generation request, such as `{"chat_template_kwargs":{"enable_thinking":false}}`; it may not set fields that differ between requests, such as `model`, `messages` or `stream`',
    ),
  VLLM_TRANSPORT: z
    .enum(['undici', 'openai'])
    .default('undici')
    .describe(
      'what carries the answers of the model servers: `undici`, or `openai`, OpenAI’s own client, which needs several times the CPU time',
    ),
  INSTANCE_ID: z
    .string()
    .regex(/^[\w.-]{1,64}$/, { error: 'is not made of at most 64 letters, digits, "_", "." and "-"' })
    .optional()
    .describe('name of the instance in `welcome.instance`; unset: random'),
  SESSION_IDLE_MS: milliseconds(3_600_000, 1).describe('a session ends after this long without activity'),
  SESSION_ABSOLUTE_MS: milliseconds(14_400_000, 1).describe('a session ends at this age, active or not'),
  SESSION_WARN_MS: milliseconds(60_000).describe(
    'clients get `expiring` this long before either end, and at most half the idle time before it',
  ),
  SESSIONS_MAX: count(100_000, 1).describe(
    'sessions in memory on one instance; above it, the instance refuses new sessions and drops none',
  ),
  SESSIONS_PER_USER_MAX: count(100).describe(
    'living sessions of one user on all instances; above it, new sessions are refused and none is dropped; 0: no limit',
  ),
  ALLOWED_ORIGINS: allowedOrigins
    .optional()
    .describe(
      'origins of the web pages that may use the service, comma-separated, such as `https://app.example`; unset: pages of the same host, and of this machine while `HOST` is a loopback address',
    ),
  ALLOWED_HOSTS: allowedHosts
    .optional()
    .describe(
      'names under which clients reach the service, comma-separated; `localhost` always works; unset: no other name while `HOST` is a loopback address, else any',
    ),
  SOCKETS_AWAITING_HELLO_MAX: count(512, 1).describe(
    'sockets of one instance that have not said hello, each with up to 128 KiB of an unfinished frame; above it the oldest of them is closed',
  ),
  RATE_CONNECTIONS_PER_MINUTE: rate.describe(
    'new sockets and repeated hellos from one address, on one instance; 0: no limit, as for the other rates; unset: 600 with `AUTH`, else no limit',
  ),
  RATE_REQUESTS_PER_MINUTE: rate.describe(
    'HTTP requests of one user or, without a credential, from one address; health and metrics do not count; unset: 1200 with `AUTH`, else no limit',
  ),
  RATE_MESSAGES_PER_MINUTE: rate.describe(
    'messages and extensions of one user, or of one session without a user, over sockets and HTTP; unset: 120 with `AUTH`, else no limit',
  ),
  RATE_GUESSES_PER_MINUTE: rate.describe(
    'lookups from one address that find no session or a forbidden one; above it, the address may name no session for a while; unset: 60 with `AUTH`, else no limit',
  ),
  RATE_FAILED_CREDENTIALS_PER_MINUTE: rate.describe(
    'refused credentials from one address; above it, no credential of the address is checked for a while; unset: 30 with `AUTH`',
  ),
  TURNS_PER_USER_MAX: count(0).describe(
    'answers of one user that run at once on one instance; above it, a message that would start one more is refused; 0: no limit',
  ),
  TURNS_PER_TENANT_MAX: count(0).describe('the same for all users of one tenant together; 0: no limit'),
  TOKENS_PER_USER_PER_DAY: count(0).describe(
    'tokens that the model reads and writes for one user between two midnights (UTC), over all instances; above it, messages are refused; 0: no limit',
  ),
  TOKENS_PER_TENANT_PER_DAY: count(0).describe('the same for all users of one tenant together; 0: no limit'),
  TRUST_PROXY: trustProxy
    .optional()
    .describe(
      'trusted proxies in front of this server, whose header names the client’s address: their number, or their addresses and networks, comma-separated; unset: none',
    ),
  TRUST_PROXY_HEADER: z
    .enum(['x-forwarded-for', 'forwarded'])
    .default('x-forwarded-for')
    .describe('the header that those proxies set; the service ignores the other one'),
  ...identitySettings,
  OVERLAP_POLICY: overlapPolicySchema
    .default('queue')
    .describe('what happens to a message that arrives during a turn, unless the message names a policy'),
  QUEUE_MAX: count(8, 1).describe('messages that may wait in one session'),
  FRAME_LOG_MAX: count(20_000, 1).describe(
    'durable frames kept per session; a single turn with more frames is kept whole',
  ),
  HISTORY_MAX: z.coerce
    .number()
    .int()
    .min(0)
    .max(10_000)
    .default(500)
    .describe(
      'transitions that the history of a session keeps, without their content; the oldest are dropped; 0: no history',
    ),
  LEASE_MS: milliseconds(3_000, 1).describe(
    'after this, another instance can take over the sessions of a crashed one',
  ),
  HIBERNATE_MS: milliseconds(5_000).describe(
    'a session that is quiet this long leaves memory and gives up its lease; its sockets stay open',
  ),
  GENERATION_FIRST_TOKEN_MS: milliseconds(60_000, 1).describe('longest wait for the first token'),
  GENERATION_INTER_TOKEN_MS: milliseconds(15_000, 1).describe('longest wait between two tokens'),
  GENERATION_TOTAL_MS: milliseconds(300_000, 1).describe('longest duration of one attempt at an answer'),
  GENERATION_ATTEMPTS: count(3, 1).describe(
    'attempts at one answer; each continues from the text that is stored',
  ),
  GENERATION_MAX_TOKENS: count(2_048, 1).describe(
    'longest answer in tokens, unless the message sets a number',
  ),
  CONTEXT_STRATEGY: z
    .string()
    .default('budget')
    .describe(
      'which part of a long conversation the model reads: `window:N`, `budget`, `summary`, `adaptive`, joined by `+`',
    ),
  HISTORY_MAX_TOKENS: z.coerce
    .number()
    .int()
    .min(256)
    .optional()
    .describe('longest prompt in tokens; unset: the context of the model'),
  SYSTEM_PROMPT_FILE: z
    .string()
    .optional()
    .describe(
      'system prompt of every conversation; unset: the bundled one, only in conversations with patient data',
    ),
  ...simulatedAnswers,
  FLUSH_MS: milliseconds(25).describe(
    'interval at which running text is stored, all streams together; the first piece, and one after a longer pause, is stored immediately',
  ),
  DRAIN_MS: milliseconds(8_000).describe('on SIGTERM, time to hand over clients and running turns'),
  AUDIT_LOG: z
    .string()
    .optional()
    .describe(
      'a file, or `stdout`: one JSON line for each access to a session, with user and address but without content; unset: none',
    ),
  ...auditKeys,
  AUDIT_STRICT: flag.describe(
    'refuse with `audit_unavailable` everything whose line in the audit log cannot be written',
  ),
  LOG_LEVEL: z
    .enum(['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'])
    .default('info')
    .describe('least severe level that is logged, `trace` … `silent`'),
});

export type Settings = z.output<typeof environmentSchema>;

/** A service that shares its environment with a simulator gets no warning about the simulator's variables. */
export const knownNames: readonly string[] = [
  ...new Set([environmentSchema, simulatorSchema].flatMap(({ shape }) => Object.keys(shape))),
];
