/**
 * AuditLog writes one JSON line per access, to its own file or to stdout among the other log lines (`"log":"audit"`).
 *
 *  AUDIT-1  `note` returns once the operating system has the line: a crash of this process loses none.
 *  AUDIT-2  A line that cannot be written waits for the next write that succeeds. The log reports the failure, and a metric
 *           counts it. Without strict mode no request is refused for it: a full disk must not keep an answer from a client.
 *  AUDIT-3  `reopen` opens the file by its name before it closes the old one, so that rotation loses no line.
 *  AUDIT-4  In strict mode nothing is done or shown whose line cannot be written.
 *  AUDIT-5  With a key, each line is a link of a chain. Its heads go to the service's log too, where an operator may compare.
 */
import type { KeyObject } from 'node:crypto';
import { type Clock, sleep } from '../clock.ts';
import type { Log } from '../telemetry/log.ts';
import type { Audit } from './audit.ts';
import { fieldsOf, lineOf } from './audit-line.ts';
import { Chain, chainKey } from './chain.ts';
import { type FileTail, tailOf } from './file-tail.ts';
import { type Damage, LineFile } from './line-file.ts';
import type { HeadKind } from './sealed-line.ts';

export interface AuditLog extends Audit {
  reopen(): void;
  close(): Promise<void>;
}

export interface AuditLogOptions {
  /** A path, or `stdout`. */
  readonly destination: string;
  readonly instance: string;
  /** Null: the lines form no chain. */
  readonly key: KeyObject | null;
  readonly isStrict: boolean;
  readonly clock: Pick<Clock, 'now' | 'after'>;
  readonly log: Log;
  /** Called when a line, or the lines that wait, could not be written. */
  readonly failed: () => void;
}

const HEAD_EVERY_MS = 3_600_000;
const CLOSE_TRIES = 20;
const CLOSE_RETRY_MS = 50;

/** Throws if the file cannot be opened. */
export function openAuditLog(options: AuditLogOptions): AuditLog {
  const { destination, instance, key, isStrict, clock, log } = options;
  const sealing = key === null ? null : chainKey(key);
  const chain = sealing === null ? null : new Chain(sealing);
  let isFailing = false;
  const file = new LineFile({
    destination,
    clock,
    form: (text) => chain?.seal(text) ?? { line: text, written: () => {} },
    failed(error) {
      options.failed();
      if (!isFailing) log.error({ err: error }, `the audit log cannot be written; ${effectOf(isStrict)}`);
      isFailing = true;
    },
    recovered(damage) {
      isFailing = false;
      log.info({ lost: damage.lost }, 'the audit log is written again');
      writeHead('recover', damage);
    },
  });
  const line = (fields: Readonly<Record<string, unknown>>): string =>
    lineOf({ instance, now: clock.now() }, fields);
  const writeHead = (head: HeadKind, more: Partial<Damage & FileTail> = {}): void => {
    if (chain === null) return;
    // A new file begins with its head, also while lines of the old one wait.
    const place = head === 'rotate' ? 'first' : 'last';
    const isWritten = file.write(line({ action: 'chain', head, ...more }), place);
    // A head that waits is in no file yet: compared with the file, it would look cut off.
    if (isWritten) log.info({ auditHead: chain.point(), head }, 'head of the audit chain');
  };
  const writeStart = (): void => {
    const earlier = sealing === null || destination === 'stdout' ? null : tailOf(destination, sealing);
    writeHead('start', earlier ?? {});
  };
  let cancelHour = (): void => {};
  const armHour = (): void => {
    if (chain === null) return;
    cancelHour = clock.after(HEAD_EVERY_MS, () => {
      writeHead('hour');
      armHour();
    });
  };

  writeStart();
  armHour();
  return {
    note: (access) => file.write(line(fieldsOf(access))) || !isStrict,
    begin(access) {
      if (!isStrict) return true;
      return file.flush() && file.write(line(fieldsOf({ ...access, outcome: 'begun' })));
    },
    refuses: () => isStrict && !file.flush(),
    reopen() {
      try {
        if (file.reopen()) writeHead('rotate');
      } catch (error) {
        log.error({ err: error }, 'the audit log could not be reopened; the old file stays in use');
      }
    },
    async close() {
      cancelHour();
      writeHead('stop');
      // A full disk keeps lines waiting. They are lost with the process; the log has already reported the failure.
      for (let tries = 0; tries < CLOSE_TRIES && !file.flush(); tries += 1) await sleep(CLOSE_RETRY_MS);
      file.close();
    },
  };
}

const effectOf = (isStrict: boolean): string =>
  isStrict ? 'nothing is served until it can' : 'its lines wait';
