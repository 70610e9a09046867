/** supervise runs the workers of `WORKERS` and turns signals into requests to all of them. It is the whole process. */
import { systemClock } from '../clock.ts';
import { readSupervision, workerEnvironment } from '../config/supervision.ts';
import { onStopSignals } from '../startup/stop-signals.ts';
import { closeLog, openLog } from '../telemetry/log.ts';
import { WorkerGroup } from './worker-group.ts';
import { forkWorker } from './worker-process.ts';

export function supervise(): void {
  const supervision = readSupervision(process.env);
  if (supervision === null) throw new Error('supervise was called without workers');
  const { workers, instance, logLevel } = supervision;
  const log = openLog(logLevel, instance);
  log.info({ workers }, 'starting workers');

  const exit = (code: number): void => void closeLog(log).then(() => process.exit(code));
  const group = new WorkerGroup({
    workers,
    fork: (role, ports, events) =>
      forkWorker(workerEnvironment(process.env, supervision, role, ports), events),
    clock: systemClock,
    log,
    complete: (listening) => log.info({ ...listening, workers }, 'listening'),
    reopens: () => {
      // Only with a file to reopen: otherwise a terminal that closes must end its server.
      if (process.listenerCount('SIGHUP') === 0) process.on('SIGHUP', () => group.reopen());
    },
    ended(code) {
      if (code === 0) log.info('drained');
      exit(code);
    },
  });
  onStopSignals({
    first(signal) {
      log.info({ signal, workers }, 'draining');
      group.drain();
    },
    second(signal) {
      log.info({ signal }, 'second signal, exiting without a drain');
      group.kill();
    },
  });
  for (const event of ['uncaughtException', 'unhandledRejection'] as const)
    process.on(event, (error: unknown) => {
      log.error({ err: error }, event);
      // The workers notice the end of this process, and drain.
      exit(1);
    });
  group.start();
}
