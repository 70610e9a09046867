/**
 * Log writes JSON lines to stdout, pretty on a terminal. Callers name each field that they log, and never pass content of a
 * conversation; redaction only catches mistakes.
 */
import { type Logger, pino, stdSerializers, stdTimeFunctions } from 'pino';
import { startTimer } from '../clock.ts';
import { codeOf } from '../errors.ts';
import { withoutPasswords } from '../startup/start-failure.ts';

export type Log = Pick<Logger, 'debug' | 'info' | 'warn' | 'error'>;

export function openLog(level: string, instance: string): Logger {
  return pino({
    level,
    base: { instance, pid: process.pid },
    timestamp: stdTimeFunctions.isoTime,
    serializers: { err: errorForLog },
    redact: ['token', '*.token', 'authorization', '*.authorization', 'content', '*.content'],
    ...(process.stdout.isTTY ? { transport: { target: 'pino-pretty' } } : {}),
  });
}

/** Only these fields: drivers attach more to an error, such as the command with its arguments or a URL with its password. */
export function errorForLog(error: unknown): unknown {
  if (!(error instanceof Error)) return typeof error === 'string' ? withoutPasswords(error) : typeof error;
  const { type, message, stack } = stdSerializers.err(error);
  const code = codeOf(error);
  return {
    type,
    ...(code === '' ? {} : { code }),
    message: withoutPasswords(message),
    stack: withoutPasswords(stack),
  };
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
