/**
 * Log writes JSON lines to stdout, pretty on a terminal. Callers name each field that they log, and never pass content of a
 * conversation; redaction only catches mistakes.
 */
import { type Logger, pino, stdTimeFunctions } from 'pino';

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
