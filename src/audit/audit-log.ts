/**
 * AuditLog writes one JSON line per access, to its own file or to stdout among the other log lines (`"log":"audit"`).
 *
 *  AUDIT-1  `note` returns once the operating system has the line: a crash of this process loses none.
 *  AUDIT-2  A line that cannot be written waits for the next write that succeeds. No request is refused for it: a full disk
 *           must not keep an answer from a client. The log reports the failure, and a metric counts it.
 *  AUDIT-3  `reopen` opens the file by its name before it closes the old one, so that rotation loses no line.
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
  /** Called when a line, or the lines that wait, could not be written. */
  readonly failed: () => void;
}

/** Lines that wait for a full disk; beyond it lines are lost. */
const WAITING_MAX_BYTES = 16 * 1024 * 1024;
const CLOSE_WITHIN_MS = 1_000;

type File = ReturnType<typeof pino.destination>;

/** Throws if the file cannot be opened. */
export function openAuditLog(options: AuditLogOptions): AuditLog {
  const { destination, instance, log } = options;
  const toFile = destination !== 'stdout';
  let current = open(options);
  let isClosed = false;
  const lines = pino(
    {
      base: { instance },
      timestamp: stdTimeFunctions.isoTime,
      // Instead of the level, which is always the same here.
      formatters: { level: () => ({ log: 'audit' }) },
    },
    {
      write(line: string) {
        // After the close, no client is left either.
        if (!isClosed) current.write(line);
      },
    },
  );
  return {
    note(access) {
      lines.info(lineOf(access));
      return true;
    },
    begin: () => true,
    refuses: () => false,
    reopen() {
      if (!toFile || isClosed) return;
      try {
        const next = open(options);
        const former = current;
        current = next;
        former.end();
      } catch (error) {
        log.error({ err: error }, 'the audit log could not be reopened; the old file stays in use');
      }
    },
    async close() {
      if (!toFile || isClosed) return;
      isClosed = true;
      const closed = once(current, 'close').catch(() => {});
      current.end();
      // A full disk keeps the file open. The lines that wait are lost with the process; the log has already reported them.
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
  // pino's own listener would end the process, or stop writing for good after a broken pipe.
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
  const { actor, onBehalfOf, why } = access;
  const isDenied = outcome === 'forbidden';
  return {
    action: isDenied ? 'denied' : action,
    ...(isDenied ? { attempted: action } : {}),
    outcome,
    session_id: sessionId,
    ...(sessionIds === undefined ? {} : { session_ids: sessionIds }),
    user_id: userId,
    client_id: clientId,
    ...(actor === undefined ? {} : { actor }),
    ...(onBehalfOf === undefined ? {} : { on_behalf_of: onBehalfOf }),
    ...(subjectUserId === undefined ? {} : { subject_user_id: subjectUserId }),
    ...(format === undefined ? {} : { format }),
    ...(why === undefined ? {} : { why }),
    address,
    ...(access.channel.kind === 'http'
      ? { route: access.channel.route, request_id: access.channel.requestId }
      : { socket: access.channel.connection }),
  };
}
