/**
 * Runs every operation of one event-loop turn in one transaction (group commit).
 *
 *  GROUP-1  While another process locks the file, operations wait and the event loop goes on; after `BUSY_WITHIN_MS` the
 *           group rejects them. The first transaction after the lock is served again.
 *  GROUP-2  Only BEGIN takes the write lock. A prepared statement that finds the file locked stays "in progress" in libsql
 *           and makes every later COMMIT of the connection fail.
 *  GROUP-3  No outcome and no effect leaves before the COMMIT of its transaction.
 *  GROUP-4  Operations run in the order of their calls.
 *  GROUP-5  A failed operation does not fail its neighbours: the group rolls back, and each operation gets a transaction.
 */
import { setImmediate } from 'node:timers';
import type Database from 'libsql';
import { startTimer, type Timer } from '../../clock.ts';
import { isBusy } from '../embedded/file-health.ts';
import { isReadOnly, sqliteFailure, storeClosed } from './failure.ts';

/** Registers an effect that runs only after a successful COMMIT. */
export type AfterCommit = (effect: () => void) => void;

export interface Group {
  run<T>(work: (afterCommit: AfterCommit) => T): Promise<T>;
  /** Runs `work` without any transaction; operations wait, and the event loop goes on. */
  alone(work: () => Promise<void>): Promise<void>;
  /** Runs the waiting operations and refuses later ones. */
  close(): void;
}

interface Job {
  readonly attempt: (afterCommit: AfterCommit) => () => void;
  readonly reject: (error: Error) => void;
  readonly calledMs: number;
}

const BUSY_WITHIN_MS = 2_000;
const BUSY_RETRY_MS = 10;

export function groupCommit(db: Database.Database, failed: (cause: unknown) => void = () => {}): Group {
  let waiting: Job[] = [];
  let retry: Timer | null = null;
  let closed = false;
  let isLent = false;

  function begin(): void {
    // An earlier rollback may have failed; BEGIN would then fail too.
    if (db.inTransaction) db.exec('ROLLBACK');
    try {
      db.exec('BEGIN IMMEDIATE');
    } catch (cause) {
      if (!isReadOnly(cause)) throw cause;
      // Reads still work.
      db.exec('BEGIN');
    }
  }

  function transact(jobs: readonly Job[]): void {
    const effects: (() => void)[] = [];
    const settle: (() => void)[] = [];
    begin();
    try {
      for (const job of jobs) settle.push(job.attempt((effect) => effects.push(effect)));
      db.exec('COMMIT');
    } catch (cause) {
      // After some failures (disk full) SQLite has already rolled back, and a second ROLLBACK is an error.
      if (db.inTransaction) db.exec('ROLLBACK');
      throw cause;
    }
    for (const resolve of settle) resolve();
    for (const effect of effects) effect();
  }

  function waitForLock(jobs: readonly Job[], cause: unknown): void {
    const nowMs = performance.now();
    const isLate = ({ calledMs }: Job) => nowMs - calledMs >= BUSY_WITHIN_MS;
    const late = jobs.filter(isLate);
    if (late.length > 0) failed(cause);
    for (const job of late) job.reject(sqliteFailure(cause));
    waiting = [...jobs.filter((job) => !isLate(job)), ...waiting];
    if (waiting.length === 0 || closed) return;
    retry = startTimer(BUSY_RETRY_MS, () => {
      retry = null;
      next();
    });
  }

  function flush(): void {
    const jobs = waiting;
    waiting = [];
    if (jobs.length === 0) return;
    try {
      transact(jobs);
      return;
    } catch (cause) {
      if (isBusy(cause)) return waitForLock(jobs, cause);
      failed(cause);
      if (jobs.length === 1) {
        jobs[0]?.reject(sqliteFailure(cause));
        return;
      }
    }
    for (const [index, job] of jobs.entries()) {
      try {
        transact([job]);
      } catch (cause) {
        if (isBusy(cause)) return waitForLock(jobs.slice(index), cause);
        failed(cause);
        job.reject(sqliteFailure(cause));
      }
    }
  }

  function next(): void {
    if (!isLent && retry === null) flush();
  }

  return {
    run<T>(work: (afterCommit: AfterCommit) => T): Promise<T> {
      if (closed) return Promise.reject(storeClosed());
      return new Promise<T>((resolve, reject) => {
        const attempt = (afterCommit: AfterCommit) => {
          const outcome = work(afterCommit);
          return () => resolve(outcome);
        };
        if (waiting.push({ attempt, reject, calledMs: performance.now() }) === 1) setImmediate(next);
      });
    },
    async alone(work) {
      if (closed) throw storeClosed();
      flush();
      isLent = true;
      try {
        await work();
      } finally {
        isLent = false;
        next();
      }
    },
    close(): void {
      closed = true;
      retry?.cancel();
      flush();
      for (const job of waiting) job.reject(storeClosed());
      waiting = [];
    },
  };
}
