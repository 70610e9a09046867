/**
 * Group commit: every operation of one event-loop turn runs in one transaction.
 *
 *  I1  Nobody learns an outcome, and no effect runs, before the transaction that holds it is committed.
 *  I2  Operations run in the order in which they were asked for.
 *  I3  One operation that fails does not fail its neighbours: the group is rolled back and each runs by itself.
 *  GROUP-1  While another process locks the file, operations wait and the event loop goes on; after `BUSY_WITHIN_MS` they
 *           are rejected. The first transaction after the lock is served again.
 *  GROUP-2  The write lock is taken by BEGIN alone. A prepared statement that finds the file locked stays "in progress" in
 *           libsql, and every later COMMIT of the connection fails because of it.
 */
import { setImmediate } from 'node:timers';
import type Database from 'libsql';
import { startTimer, type Timer } from '../../clock.ts';
import { isBusy, isReadOnly, storeClosed, storeFailure } from './failure.ts';

/** Registers what shall happen once the transaction stands; forgotten if it does not. */
export type AfterCommit = (effect: () => void) => void;

export interface Group {
  run<T>(work: (afterCommit: AfterCommit) => T): Promise<T>;
  /** Everything asked for meanwhile waits: `work` has the file to itself, and the event loop goes on. */
  alone(work: () => Promise<void>): Promise<void>;
  /** Runs what is waiting and refuses everything after it. */
  close(): void;
}

interface Job {
  readonly attempt: (afterCommit: AfterCommit) => () => void;
  readonly reject: (error: Error) => void;
  readonly askedMs: number;
}

const BUSY_WITHIN_MS = 2_000;
const BUSY_RETRY_MS = 10;

export function groupCommit(db: Database.Database, failed: (cause: unknown) => void = () => {}): Group {
  let waiting: Job[] = [];
  let retry: Timer | null = null;
  let closed = false;
  let isLent = false;

  function begin(): void {
    // What an earlier rollback could not end must not take this transaction with it.
    if (db.inTransaction) db.exec('ROLLBACK');
    try {
      db.exec('BEGIN IMMEDIATE');
    } catch (cause) {
      if (!isReadOnly(cause)) throw cause;
      // What only reads is served all the same.
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
      // After some failures (disk full) SQLite has rolled back by itself, and a second ROLLBACK is an error.
      if (db.inTransaction) db.exec('ROLLBACK');
      throw cause;
    }
    for (const resolve of settle) resolve();
    for (const effect of effects) effect();
  }

  /** Later jobs have not waited long enough to be given up. */
  function waitForLock(jobs: readonly Job[], cause: unknown): void {
    const nowMs = performance.now();
    const isLate = ({ askedMs }: Job) => nowMs - askedMs >= BUSY_WITHIN_MS;
    const late = jobs.filter(isLate);
    if (late.length > 0) failed(cause);
    for (const job of late) job.reject(storeFailure(cause));
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
        jobs[0]?.reject(storeFailure(cause));
        return;
      }
    }
    for (const [index, job] of jobs.entries()) {
      try {
        transact([job]);
      } catch (cause) {
        if (isBusy(cause)) return waitForLock(jobs.slice(index), cause);
        failed(cause);
        job.reject(storeFailure(cause));
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
        if (waiting.push({ attempt, reject, askedMs: performance.now() }) === 1) setImmediate(next);
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
