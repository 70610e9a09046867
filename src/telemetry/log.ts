/**
 * The log: JSON lines on stdout, pretty on a terminal. Callers name the fields they log one by one; content of a
 * conversation is never among them. Redaction below is a net, not the rule.
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
