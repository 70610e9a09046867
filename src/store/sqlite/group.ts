/**
 * Group commit: every operation of one event-loop turn runs in one transaction.
 *
 *  I1  Nobody learns an outcome, and no effect runs, before the transaction that holds it is committed.
 *  I2  Operations run in the order in which they were asked for.
 *  I3  One operation that fails does not fail its neighbours: the group is rolled back and each runs by itself.
 */
import { setImmediate } from 'node:timers';
import type Database from 'libsql';
import { storeClosed, storeFailure } from './failure.ts';

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
}

export function groupCommit(db: Database.Database): Group {
  let waiting: Job[] = [];
  let closed = false;
  let isLent = false;

  function transact(jobs: readonly Job[]): void {
    const effects: (() => void)[] = [];
    const settle: (() => void)[] = [];
    db.exec('BEGIN');
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

  function flush(): void {
    const jobs = waiting;
    waiting = [];
    if (jobs.length === 0) return;
    try {
      transact(jobs);
      return;
    } catch (cause) {
      if (jobs.length === 1) {
        jobs[0]?.reject(storeFailure(cause));
        return;
      }
    }
    for (const job of jobs) {
      try {
        transact([job]);
      } catch (cause) {
        job.reject(storeFailure(cause));
      }
    }
  }

  function next(): void {
    if (!isLent) flush();
  }

  return {
    run<T>(work: (afterCommit: AfterCommit) => T): Promise<T> {
      if (closed) return Promise.reject(storeClosed());
      return new Promise<T>((resolve, reject) => {
        const attempt = (afterCommit: AfterCommit) => {
          const outcome = work(afterCommit);
          return () => resolve(outcome);
        };
        if (waiting.push({ attempt, reject }) === 1) setImmediate(next);
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
      flush();
    },
  };
}
