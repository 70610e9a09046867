/** The process: reads the environment, starts one instance, and lets it go on a signal. */

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

const config = configOrLeave();
const log = openLog(config.logLevel, config.instance);
log.info({ version, commit, node: process.versions.node }, 'starting');

for (const warning of config.warnings) log.warn(warning);

/** No log is open yet: where it goes and what it leaves out is part of what could not be read. */
function configOrLeave(): Config {
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

/** Ends the process once the log has left it. */
function leave(code: number): void {
  log.flush();
  process.exit(code);
}

let service: Service | null = null;
let leaving = false;

/** Beyond the drain time: closing waits for stores and model servers that no longer answer, each for a bounded while. */
const CLOSE_WITHIN_MS = 10_000;

async function drainAndLeave(code: number): Promise<void> {
  if (leaving) return leave(1);
  leaving = true;
  const withinMs = config.drainMs + CLOSE_WITHIN_MS;
  startTimer(withinMs, () => {
    log.error({ withinMs }, 'drain takes too long, leaving without its end');
    leave(1);
  });
  try {
    await service?.drain();
    log.info('drained');
    leave(code);
  } catch (error) {
    log.error({ err: error }, 'drain failed');
    leave(1);
  }
}

/** A terminal and its shell may both pass on one keystroke: that is one wish, not two. */
const ONE_WISH_MS = 1_000;
let firstSignalMs = 0;
for (const signal of ['SIGTERM', 'SIGINT'] as const) {
  process.on(signal, () => {
    if (leaving && performance.now() - firstSignalMs < ONE_WISH_MS) return;
    firstSignalMs = performance.now();
    log.info({ signal }, leaving ? 'second signal, leaving at once' : 'draining');
    void drainAndLeave(0);
  });
}
// After an unhandled error the state of this process is unknown: it hands its sessions over and ends.
for (const event of ['uncaughtException', 'unhandledRejection'] as const) {
  process.on(event, (error: unknown) => {
    log.error({ err: error }, event);
    void drainAndLeave(1);
  });
}

// Only where there is a file to reopen: otherwise a terminal that closes ends its server, as it should.
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
  leave(1);
}
