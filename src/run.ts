/** run.ts reads the environment, starts one instance, and drains it on a signal. */
import { startTimer } from './clock.ts';
import { type Config, readConfig } from './config/config.ts';
import { helpText } from './config/help.ts';
import { environmentSchema } from './config/settings.ts';
import { type Service, startService } from './service.ts';
import { authority, shellWord } from './startup/address.ts';
import { answerCall } from './startup/arguments.ts';
import { reasonOf } from './startup/start-failure.ts';
import { commit, version } from './startup/version.ts';
import { openLog } from './telemetry/log.ts';

const PURPOSE = 'Rehydra: conversations with a language model that outlive their servers.';
answerCall(process.argv.slice(2), 'npm start', () => helpText('npm start', PURPOSE, environmentSchema));

const config = configOrExit();
const log = openLog(config.logLevel, config.instance);
log.info({ version, commit, node: process.versions.node }, 'starting');

for (const warning of config.warnings) log.warn(warning);

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

/** Flushes the log and ends the process. */
function exit(code: number): void {
  log.flush();
  process.exit(code);
}

let service: Service | null = null;
let draining = false;

/** Time to close after the drain: stores and model servers may no longer answer. */
const CLOSE_WITHIN_MS = 10_000;

async function drainAndExit(code: number): Promise<void> {
  if (draining) return exit(1);
  draining = true;
  const withinMs = config.drainMs + CLOSE_WITHIN_MS;
  startTimer(withinMs, () => {
    log.error({ withinMs }, 'drain took too long, exiting before it ended');
    exit(1);
  });
  try {
    await service?.drain();
    log.info('drained');
    exit(code);
  } catch (error) {
    log.error({ err: error }, 'drain failed');
    exit(1);
  }
}

/** A terminal and its shell may both forward one Ctrl-C: signals this close together count as one. */
const SAME_SIGNAL_MS = 1_000;
let firstSignalMs = 0;
for (const signal of ['SIGTERM', 'SIGINT'] as const) {
  process.on(signal, () => {
    if (draining && performance.now() - firstSignalMs < SAME_SIGNAL_MS) return;
    firstSignalMs = performance.now();
    log.info({ signal }, draining ? 'second signal, exiting without a drain' : 'draining');
    void drainAndExit(0);
  });
}
// After an unhandled error the state of this process is unknown: it hands its sessions over and exits.
for (const event of ['uncaughtException', 'unhandledRejection'] as const) {
  process.on(event, (error: unknown) => {
    log.error({ err: error }, event);
    void drainAndExit(1);
  });
}

// Only with a file to reopen: otherwise a terminal that closes must end its server.
if (config.auditLog !== null && config.auditLog !== 'stdout') {
  process.on('SIGHUP', () => {
    log.info({ signal: 'SIGHUP' }, 'reopening the audit log');
    service?.reopenAudit();
  });
}

try {
  service = await startService(config, log);
  const { port, upstream } = service;
  const url = `ws://${authority(config.host, port)}/v1/session`;
  const store = config.store.redisUrl === null ? 'sqlite' : 'redis';
  log.info({ port, store, upstream, url, chat: `npm run chat -- --url ${shellWord(url)}` }, 'listening');
} catch (error) {
  const reason = reasonOf(error);
  log.error(reason === null ? { err: error } : { reason }, 'could not start');
  if (reason !== null) process.stderr.write(`rehydra: could not start: ${reason}\n`);
  exit(1);
}
