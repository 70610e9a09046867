/**
 * The audit log: one JSON line per access, in a file of its own or on stdout among the others (`"log":"audit"`).
 *
 *  U1  A line is with the operating system before `note` returns: none is lost with this process.
 *  U2  A line that cannot be written is kept and written with the next one that can. Nobody is refused for it: whoever
 *      needs an answer here would not get it because a disk is full. It is said in the log and counted.
 *  U3  `reopen` opens the file anew by its name before it lets the old one go, so rotation loses nothing.
 */
import { once } from 'node:events';
import { pino, stdTimeFunctions } from 'pino';
import { sleep } from '../clock.ts';
import type { Log } from '../telemetry/log.ts';
import type { Access, Audit } from './audit.ts';

export interface AuditLog extends Audit {
  reopen(): void;
  close(): Promise<void>;
}

export interface AuditLogOptions {
  /** A path, or `stdout`. */
  readonly destination: string;
  readonly instance: string;
  readonly log: Log;
  /** A line, or the lines that wait, could not be written. */
  readonly failed: () => void;
}

/** What waits for a disk that is full; beyond it lines are lost. */
const WAITING_MAX_BYTES = 16 * 1024 * 1024;
const CLOSE_WITHIN_MS = 1_000;

type File = ReturnType<typeof pino.destination>;

/** Throws where the file cannot be opened. */
export function openAuditLog(options: AuditLogOptions): AuditLog {
  const { destination, instance, log } = options;
  const toFile = destination !== 'stdout';
  let current = open(options);
  let isClosed = false;
  const lines = pino(
    {
      base: { instance },
      timestamp: stdTimeFunctions.isoTime,
      // In the place of the level, which says nothing here.
      formatters: { level: () => ({ log: 'audit' }) },
    },
    {
      write(line: string) {
        // What comes after the end of everything: who asked is gone as well.
        if (!isClosed) current.write(line);
      },
    },
  );
  return {
    note: (access) => lines.info(lineOf(access)),
    reopen() {
      if (!toFile || isClosed) return;
      try {
        const next = open(options);
        const former = current;
        current = next;
        former.end();
      } catch (error) {
        log.error({ err: error }, 'the audit log could not be opened anew; the former file goes on');
      }
    },
    async close() {
      if (!toFile || isClosed) return;
      isClosed = true;
      const closed = once(current, 'close').catch(() => {});
      current.end();
      // A disk that is full keeps it open. What waits is lost with the process, and the log has said that it waits.
      await Promise.race([closed, sleep(CLOSE_WITHIN_MS)]);
    },
  };
}

function open({ destination, log, failed }: AuditLogOptions): File {
  const file = pino.destination({
    dest: destination === 'stdout' ? 1 : destination,
    append: true,
    mode: 0o600,
    sync: true,
    maxLength: WAITING_MAX_BYTES,
  });
  let isFailing = false;
  const onFailure = (error: unknown) => {
    failed();
    if (!isFailing) log.error({ err: error }, 'the audit log cannot be written; its lines wait');
    isFailing = true;
  };
  // pino's own listener would end the process, or stop writing for good where a pipe broke.
  file.removeAllListeners('error');
  file.on('error', onFailure);
  file.on('drop', () => onFailure(new Error('too many lines wait')));
  file.on('write', () => {
    if (isFailing) log.info('the audit log is written again');
    isFailing = false;
  });
  return file;
}

function lineOf(access: Access) {
  const { action, outcome, sessionId, sessionIds, userId, subjectUserId, clientId, format, address } = access;
  const isDenied = outcome === 'forbidden';
  return {
    action: isDenied ? 'denied' : action,
    ...(isDenied ? { attempted: action } : {}),
    outcome,
    session_id: sessionId,
    ...(sessionIds === undefined ? {} : { session_ids: sessionIds }),
    user_id: userId,
    client_id: clientId,
    ...(subjectUserId === undefined ? {} : { subject_user_id: subjectUserId }),
    ...(format === undefined ? {} : { format }),
    address,
    ...(access.door.kind === 'http'
      ? { route: access.door.route, request_id: access.door.requestId }
      : { socket: access.door.connection }),
  };
}
