/**
 * Log writes JSON lines to stdout, pretty on a terminal. Callers name each field that they log, and never pass content of a
 * conversation; redaction only catches mistakes.
 */
import { type Logger, pino, stdTimeFunctions } from 'pino';
import { startTimer } from '../clock.ts';

export type Log = Pick<Logger, 'debug' | 'info' | 'warn' | 'error'>;

export function openLog(level: string, instance: string): Logger {
  return pino({
    level,
    base: { instance, pid: process.pid },
    timestamp: stdTimeFunctions.isoTime,
    redact: ['token', '*.token', 'authorization', '*.authorization', 'content', '*.content'],
    ...(process.stdout.isTTY ? { transport: { target: 'pino-pretty' } } : {}),
  });
}

const CLOSE_WITHIN_MS = 500;

/** What closing needs of pino's stream, sonic-boom or a worker thread. The names with `_` are sonic-boom's own. */
interface LogStream {
  readonly _writing?: boolean;
  readonly _len?: number;
  once(event: 'drain' | 'error', listener: () => void): unknown;
  flushSync(): void;
}

/**
 * Waits until the waiting lines are written, for CLOSE_WITHIN_MS at most. Nothing is written afterwards: if the reader of
 * stdout has gone, the last write of sonic-boom would repeat for ever, and the process would never end.
 */
export function closeLog(log: Logger): Promise<void> {
  const stream = (log as unknown as Record<symbol, LogStream>)[pino.symbols.streamSym];
  return new Promise((resolve) => {
    if (stream === undefined) return resolve();
    const close = (): void => {
      timer.cancel();
      stream.flushSync = () => {};
      resolve();
    };
    const timer = startTimer(CLOSE_WITHIN_MS, close);
    if (stream._writing !== true && (stream._len ?? 0) === 0) return close();
    stream.once('drain', close);
    stream.once('error', close);
  });
}
