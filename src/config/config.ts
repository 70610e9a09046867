/**
 * Config turns the environment into the settings of the service. No other file reads the environment. A variable wins
 * over its default, and every value that the service needs is resolved here.
 */
import { randomBytes } from 'node:crypto';
import { contradictions, warnings } from './consistency.ts';
import { identityIn } from './identity.ts';
import { ratesOf, readsCredentials } from './rates.ts';
import { environmentSchema } from './settings.ts';
import { roleIn, workersOf } from './supervision.ts';
import { type Environment, readVariables, unusable } from './variables.ts';

export type Config = ReturnType<typeof readConfig>;

/** Throws an error whose message holds one line for each value that cannot be used. */
export function readConfig(environment: Environment) {
  const read = readVariables(environmentSchema, environment);
  if (read.kind === 'problems') throw unusable(read.problems);
  const { values: env, given } = read;
  const contradicting = contradictions(env, given);
  if (contradicting.length > 0) throw unusable(contradicting);
  const role = roleIn(environment);
  const name = env.INSTANCE_ID ?? randomBytes(6).toString('hex');
  return Object.freeze({
    /** Lines for the log. */
    warnings: warnings(env, given, environment),
    host: bare(env.HOST),
    port: env.PORT,
    /** Null: the main port serves everything. */
    admin: env.ADMIN_PORT === undefined ? null : { host: bare(env.ADMIN_HOST), port: env.ADMIN_PORT },
    /** Null: without TLS. */
    tls:
      env.TLS_CERT === undefined || env.TLS_KEY === undefined
        ? null
        : { certPath: env.TLS_CERT, keyPath: env.TLS_KEY },
    instance: role === null ? name : `${name}.${role.number}`,
    workers: workersOf(env.WORKERS),
    /** Null if this process serves alone. */
    role,
    logLevel: env.LOG_LEVEL,
    audit: {
      log: env.AUDIT_LOG ?? null,
      key: env.AUDIT_KEY ?? env.AUDIT_KEY_FILE ?? null,
      isStrict: env.AUDIT_STRICT,
    },
    drainMs: env.DRAIN_MS,
    allowedOrigins: env.ALLOWED_ORIGINS ?? null,
    allowedHosts: env.ALLOWED_HOSTS ?? null,
    socketsAwaitingHelloMax: env.SOCKETS_AWAITING_HELLO_MAX,
    sealing: {
      keys: env.DATA_KEYS ?? env.DATA_KEYS_FILE?.keys ?? [],
      /** The keys may change while the service runs; null: they may not. */
      keysFile: env.DATA_KEYS_FILE?.path ?? null,
      plain: env.DATA_PLAIN,
    },
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
      historyMax: env.HISTORY_MAX,
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
    budgets: {
      turnsPerUserMax: env.TURNS_PER_USER_MAX,
      turnsPerTenantMax: env.TURNS_PER_TENANT_MAX,
      tokensPerUserPerDay: env.TOKENS_PER_USER_PER_DAY,
      tokensPerTenantPerDay: env.TOKENS_PER_TENANT_PER_DAY,
    },
    limits: ratesOf(env, readsCredentials(environment)),
    proxy: {
      trust: env.TRUST_PROXY ?? { kind: 'hops' as const, hops: 0 },
      header: env.TRUST_PROXY_HEADER,
    },
    identity: identityIn(env),
    /** The built-in simulator answers if VLLM_BASE_URL is not set. */
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
      baseUrls: env.VLLM_BASE_URL ?? [],
      model: env.VLLM_MODEL ?? null,
      apiKey: env.VLLM_API_KEY ?? null,
      extraBody: env.VLLM_EXTRA_BODY ?? {},
      transport: env.VLLM_TRANSPORT,
      firstTokenMs: env.GENERATION_FIRST_TOKEN_MS,
      interTokenMs: env.GENERATION_INTER_TOKEN_MS,
      totalMs: env.GENERATION_TOTAL_MS,
      maxTokens: env.GENERATION_MAX_TOKENS,
    },
  });
}

/** An IPv6 address without the brackets of a URL. */
function bare(host: string): string {
  return host.replace(/^\[(.*)\]$/, '$1');
}
