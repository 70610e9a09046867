/** run.ts reads the environment, starts one instance, and drains it on a signal or for its supervisor. */
import { startTimer } from './clock.ts';
import { type Config, readConfig } from './config/config.ts';
import { helpText } from './config/help.ts';
import { environmentSchema } from './config/settings.ts';
import { type Service, startService } from './service.ts';
import { authority, shellWord } from './startup/address.ts';
import { answerCall } from './startup/arguments.ts';
import { reasonOf } from './startup/start-failure.ts';
import { onStopSignals } from './startup/stop-signals.ts';
import { commit, version } from './startup/version.ts';
import { type Link, openLink } from './supervisor/link.ts';
import { closeLog, openLog } from './telemetry/log.ts';

const PURPOSE = 'Rehydra: conversations with a language model that outlive their servers.';
answerCall(process.argv.slice(2), 'npm start', () => helpText('npm start', PURPOSE, environmentSchema));

const config = configOrExit();
const log = openLog(config.logLevel, config.instance);
log.info({ version, commit, node: process.versions.node }, 'starting');

const { role } = config;
// The other workers have the same environment.
if (role === null || role.number === 1) for (const warning of config.warnings) log.warn(warning);

/** The configured log level may be the setting that is wrong, so an error opens its own log. */
function configOrExit(): Config {
  try {
    return readConfig(process.env);
  } catch (error) {
    if (reasonOf(error) === null || !(error instanceof Error)) throw error;
    const [, ...problems] = error.message.split('\n');
    openLog('info', 'unnamed').error({ problems }, 'could not start');
    process.stderr.write(`rehydra: could not start. ${error.message}\n`);
    process.exit(1);
  }
}

function exit(code: number): void {
  void closeLog(log).then(() => process.exit(code));
}

let service: Service | null = null;
/** `together`: the other workers of the port drain too. */
let draining: 'alone' | 'together' | null = null;

/** Time to close after the drain: stores and model servers may no longer answer. */
const CLOSE_WITHIN_MS = 10_000;
const endsWithinMs = config.drainMs + CLOSE_WITHIN_MS;

async function drainAndExit(code: number, how: 'alone' | 'together' = 'alone'): Promise<void> {
  if (draining !== null) return exit(1);
  draining = how;
  startTimer(endsWithinMs, () => {
    log.error({ withinMs: endsWithinMs }, 'drain took too long, exiting before it ended');
    exit(1);
  });
  try {
    await service?.drain(how);
    log.info('drained');
    exit(code);
  } catch (error) {
    log.error({ err: error }, 'drain failed');
    exit(1);
  }
}

onStopSignals({
  first(signal) {
    // A terminal and some service managers signal the workers too, beside the supervisor.
    if (draining === 'together') return;
    log.info({ signal }, draining === null ? 'draining' : 'signal during a drain, exiting');
    void drainAndExit(0);
  },
  second(signal) {
    log.info({ signal }, 'second signal, exiting without a drain');
    void drainAndExit(0);
  },
});
// After an unhandled error the state of this process is unknown: it hands its sessions over and exits.
for (const event of ['uncaughtException', 'unhandledRejection'] as const) {
  process.on(event, (error: unknown) => {
    log.error({ err: error }, event);
    void drainAndExit(1);
  });
}

// Only with a file to read again: otherwise a terminal that closes must end its server.
const reopens =
  (config.audit.log !== null && config.audit.log !== 'stdout') ||
  config.sealing.keysFile !== null ||
  config.identity.keysFile !== null ||
  config.identity.disabledFile !== null ||
  config.identity.jwt !== null ||
  config.tls !== null;
if (reopens) process.on('SIGHUP', () => reloadFiles('SIGHUP'));

function reloadFiles(signal: string): void {
  log.info({ signal }, 'reopening files');
  service?.reload();
}

const link: Link | null =
  role === null
    ? null
    : openLink({
        drain(reason, how) {
          if (draining !== null) return;
          log.info({ reason }, 'draining');
          void drainAndExit(0, how);
        },
        reopen: () => reloadFiles('SIGHUP'),
      });

try {
  service = await startService(config, log, link);
  const { port, adminPort, upstream } = service;
  const secure = config.tls === null ? '' : 's';
  const host = authority(config.host, port);
  const url = `ws${secure}://${host}/v1/session`;
  const page = `http${secure}://${host}/`;
  const admin =
    config.admin === null || adminPort === null
      ? {}
      : { adminPort, admin: `http${secure}://${authority(config.admin.host, adminPort)}` };
  const store = config.store.redisUrl === null ? 'sqlite' : 'redis';
  const listening = {
    port,
    ...admin,
    store,
    upstream,
    page,
    url,
    chat: `npm run chat -- --url ${shellWord(url)}`,
  };
  // The supervisor writes `listening` once all workers listen.
  log.info(listening, link === null ? 'listening' : 'worker listening');
  link?.listening({ listening, endsWithinMs, reopens });
} catch (error) {
  const reason = reasonOf(error);
  log.error(reason === null ? { err: error } : { reason }, 'could not start');
  if (reason !== null) process.stderr.write(`rehydra: could not start: ${reason}\n`);
  exit(1);
}
