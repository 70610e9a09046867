/**
 * startService assembles one instance: store, generator, sessions, hub, sweeper, server. It alone knows all parts, and
 * decides only the order in which they start and stop.
 */
import { endsOf } from '../machines/deadlines.ts';
import { createAnalytics } from './analytics/analytics.ts';
import { logHealth } from './analytics/health-log.ts';
import { measuredArchive, measuredGenerator, measuredStore } from './analytics/measured.ts';
import { watchPopulation } from './analytics/population.ts';
import { watchReplicas } from './analytics/watched-replicas.ts';
import { openArchive } from './archive/open.ts';
import { keepRetention } from './archive/retention.ts';
import { type AuditLog, openAuditLog } from './audit/audit-log.ts';
import { systemClock } from './clock.ts';
import type { Config } from './config/config.ts';
import { createPromptBuilder } from './conversation/prompt-builder.ts';
import { resetFrame, type SessionServices } from './delivery/attach-client.ts';
import { Hub } from './delivery/hub.ts';
import { createVllmGenerator } from './generation/vllm.ts';
import { placedRoutes } from './http/routes.ts';
import { openAuthenticator } from './identity/open-authenticator.ts';
import { openBudgets } from './limits/budgets.ts';
import { clientAddresses } from './limits/client-address.ts';
import { openLimits } from './limits/limits.ts';
import { type KeySource, keepReading, openRing } from './sealing/file-ring.ts';
import type { KeyRing, SealingKeys } from './sealing/key-ring.ts';
import { Membership } from './session/cluster/membership.ts';
import { Sweeper } from './session/cluster/sweeper.ts';
import { LocalSessions } from './session/router/local-sessions.ts';
import { SessionRouter } from './session/router/session-router.ts';
import { startSimulator } from './simulator/simulator.ts';
import { startFailure, withoutPasswords } from './startup/start-failure.ts';
import type { Store } from './store/contract.ts';
import { openDeployedStore } from './store/open.ts';
import { createRecordCipher } from './store/sealed/record-cipher.ts';
import { sealedStore } from './store/sealed/store.ts';
import type { Link } from './supervisor/link.ts';
import type { Log } from './telemetry/log.ts';
import { type Meters, openMeters } from './telemetry/meters.ts';
import { type Metrics, openMetrics } from './telemetry/metrics.ts';
import { watchPressure } from './telemetry/pressure.ts';
import { readCertificate } from './transport/certificate.ts';
import { drain } from './transport/drain.ts';
import { keepCertificate } from './transport/served-certificate.ts';
import { createServer } from './transport/server.ts';
import { HelloQueue } from './transport/socket/hello-budget.ts';

export interface Service {
  readonly port: number;
  /** Null without `ADMIN_PORT`. */
  readonly adminPort: number | null;
  readonly upstream: string;
  /**
   * Hands clients and turns to other instances within the drain time, then stops. A worker that drains `alone` leaves the
   * port first: the other workers take its new connections.
   */
  drain(how?: 'alone' | 'together'): Promise<void>;
  /** Opens the audit file again, after log rotation moved it away, and reads keys and certificate again. */
  reload(): void;
}

/** Length of a turn's waiting text that triggers a write, in UTF-16 units. */
const FLUSH_LENGTH = 1_024;
/** Delay of Node's event loop beyond which the instance refuses new work instead of serving it late. */
const LAG_LIMIT_MS = 1_000;
/** Wait between two checks of a failed model server. */
const CHECK_EVERY_MS = 2_000;

export async function startService(config: Config, log: Log, link: Link | null = null): Promise<Service> {
  const clock = systemClock;
  const { instance } = config;
  // First: a wrong file must not leave a store open.
  const certificate = config.tls === null ? null : readCertificate(config.tls);
  const metrics = openMetrics(instance);
  const meters = openMeters(metrics.registry);
  const audit = openAudit(config, log, meters);
  const ring = openKeys(config.sealing, log);
  const sealing: SealingKeys = { ring, plain: config.sealing.plain };
  const authenticator = await openAuthenticator(config.identity, log, clock);
  const store = measuredStore(
    sealed(await openDeployedStore(config.store, log), sealing, log, metrics),
    meters,
  );
  const archive = measuredArchive(await openArchive({ ...config.archive, sealing }), meters);
  if (store.kind === 'redis' && archive.kind === 'sqlite')
    log.warn(
      { dataDir: config.archive.dataDir },
      'instances share Redis, but not this archive: set DATABASE_URL, or let all instances use this folder',
    );
  const simulator = config.generation.baseUrls.length === 0 ? await startSimulator(config.simulator) : null;
  const baseUrls = simulator === null ? config.generation.baseUrls : [simulator.url];
  if (simulator !== null)
    log.warn('VLLM_BASE_URL is not set: answers come from the built-in SIMULATOR and mean nothing');
  const { model, apiKey, extraBody, transport, firstTokenMs, interTokenMs, totalMs, maxTokens } =
    config.generation;
  const replicas = watchReplicas(metrics.registry, log, model);
  const vllm = createVllmGenerator({
    baseUrls,
    model,
    apiKey,
    extraBody,
    transport,
    timeouts: { firstTokenMs, interTokenMs, totalMs },
    defaultMaxTokens: maxTokens,
    ...(simulator === null ? { checkEveryMs: CHECK_EVERY_MS } : {}),
    onReplicaEvent: replicas.onEvent,
  });
  replicas.show(vllm.reports);
  const generator = measuredGenerator(vllm, meters);

  const conversation = createPromptBuilder({
    ...config.conversation,
    baseUrls,
    apiKey,
    model,
    defaultMaxTokens: maxTokens,
  });
  const { leaseMs } = config.store;
  const membership = new Membership(store, clock, instance, leaseMs);
  const localSessions = new LocalSessions(config.session.sessionsMax);
  const hub = new Hub({
    store,
    clock,
    reset: (sessionId, reason) => resetFrame(store, sessionId, reason),
    localSessions,
    lookMs: leaseMs / 3,
  });
  const sessions = new SessionRouter({
    instance,
    store,
    generator,
    conversation,
    archive,
    clock,
    log,
    metrics,
    membership,
    localSessions,
    delivery: hub,
    limits: config.session.limits,
    leaseMs,
    historyMax: config.store.historyMax,
    hibernateMs: config.session.hibernateMs,
    flushMs: config.session.flushMs,
    flushLength: FLUSH_LENGTH,
    budgets: openBudgets(config.budgets, {
      tally: store.tally,
      clock,
      limited: metrics.limited,
      failed: (error) =>
        log.warn({ err: error }, 'tokens could not be counted, and wait for the next answer'),
    }),
    sessionsPerUserMax: config.session.sessionsPerUserMax,
  });
  const sweeper = new Sweeper({
    instance,
    store,
    clock,
    log,
    metrics,
    membership,
    leaseMs,
    pollMs: leaseMs / 3,
    wake: (sessionId) => sessions.wake(sessionId),
  });

  let draining = false;
  const pressure = watchPressure(LAG_LIMIT_MS);
  const services: SessionServices = {
    instance,
    sessions,
    hub,
    store,
    clock,
    isSimulated: simulator !== null,
  };
  const retryAfterMs = () => Math.ceil(100 + Math.random() * 1_900);
  const unavailable = () => (draining ? 'draining' : pressure.isHigh() ? 'overloaded' : null);
  const limits = openLimits(config.limits, metrics.limited);
  const ownMetrics = () => metrics.registry.metrics();
  const scrape = link?.shareMetrics(ownMetrics) ?? ownMetrics;
  const upstream = simulator === null ? withoutPasswords(baseUrls.join(',')) : 'simulator';
  const server = await createServer(
    {
      services,
      clock,
      log,
      metrics,
      audit,
      authenticator,
      defaultPolicy: config.session.defaultPolicy,
      draining: () => draining,
      overloaded: pressure.isHigh,
      retryAfterMs,
      limits,
      helloQueue: new HelloQueue(config.socketsAwaitingHelloMax),
      addresses: clientAddresses(config.proxy),
      at: { main: { host: config.host, port: config.port }, admin: config.admin },
      certificate,
      web: config,
    },
    ({ connections }) =>
      placedRoutes({
        ...services,
        archive,
        analytics: createAnalytics(store, archive, clock.monotonicMs),
        audit,
        authenticator,
        metrics: { contentType: metrics.registry.contentType, scrape },
        upstream,
        replicas: vllm.reports,
        servedModel: vllm.servedModel,
        defaultPolicy: config.session.defaultPolicy,
        unavailable,
        retryAfterMs,
        limits,
        draining: () => draining,
        localSessions: () => localSessions.size,
        connections,
      }),
  );
  watchPopulation(metrics.registry, {
    store,
    archive,
    meters,
    now: clock.now,
    monotonicMs: clock.monotonicMs,
    async endsAt(sessionId) {
      const view = await sessions.view(sessionId);
      return view === null ? null : endsOf(view.context).expiresAt;
    },
  });
  metrics.observe({ localSessions: () => localSessions.size, connections: server.connectionCount });

  await sessions.start();
  await membership.beat();
  sweeper.start();
  const stopRetention = keepRetention(archive, config.archive.retentionMs, log);
  const stopReadingKeys = keepReading(ring);
  const stopHealthLog = logHealth({ store, archive, log, after: clock.after });
  const served =
    certificate === null
      ? null
      : keepCertificate({ certificate, serve: server.renewCertificate, clock, log });
  const { role } = config;
  const stop = async (how: 'alone' | 'together' = 'together'): Promise<void> => {
    draining = true;
    if (role !== null && how === 'alone') server.stopListening();
    stopHealthLog();
    served?.stop();
    await drain({ server, sessions, sweeper, membership, hub, clock, log, drainMs: config.drainMs });
    pressure.stop();
    stopRetention();
    stopReadingKeys();
    // A part that fails to close must not keep the others open: an open store keeps its folder locked.
    const closing = [generator, simulator, archive, store, audit, authenticator].map(async (one) =>
      one?.close(),
    );
    const failed = (await Promise.allSettled(closing)).find((one) => one.status === 'rejected');
    if (failed !== undefined) throw failed.reason;
  };
  const portUse = role === null ? 'alone' : role.joins ? 'joins' : 'first';
  const ports = await server.listen(portUse).catch(async (error: unknown) => {
    // The instance is a member already: without a stop its sessions would wait for their leases to lapse.
    await stop();
    throw error;
  });

  return {
    port: ports.main,
    adminPort: ports.admin,
    upstream,
    drain: stop,
    reload() {
      audit?.reopen();
      void ring.reload();
      authenticator.reload();
      served?.reload();
    },
  };
}

function openAudit(config: Config, log: Log, meters: Meters): AuditLog | null {
  const { instance } = config;
  const { log: destination, key, isStrict } = config.audit;
  if (destination === null) return null;
  const failed = () => meters.auditErrors.inc();
  try {
    return openAuditLog({ destination, instance, key, isStrict, clock: systemClock, log, failed });
  } catch (cause) {
    throw startFailure(`AUDIT_LOG=${destination} cannot be written`, cause);
  }
}

function openKeys(source: KeySource, log: Log): KeyRing {
  return openRing(source, (read) => {
    if (read.kind === 'changed')
      log.info({ keys: read.ids }, 'data keys have changed; the first one encrypts from now on');
    else log.error({ why: read.why }, 'data keys could not be read again; the former ones stay in use');
  });
}

function sealed(store: Store, sealing: SealingKeys, log: Log, metrics: Metrics): Store {
  const onUnopened = (sessionId: string, place: string, why: string) => {
    metrics.unopened(why);
    log.error({ sessionId, place, why }, 'stored data of a session cannot be decrypted');
  };
  return sealedStore(store, createRecordCipher({ ...sealing, onUnopened }));
}
