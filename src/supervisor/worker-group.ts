/**
 * WorkerGroup keeps a number of workers on one port: it starts them, replaces those that die, and ends them together.
 *
 *  WORKERS-1  One worker finds the port and listens; the others start only then, and join it. So all have one port,
 *             also with PORT=0, and a wrong setting is reported once.
 *  WORKERS-2  No two workers have the same name. A replacement gets a name of its own, so that other instances notice
 *             the death and detach the sockets of the dead worker.
 *  WORKERS-3  A worker that cannot start ends the group with its exit code, unless the group was complete and another
 *             worker serves: then the group tries again.
 *  WORKERS-4  After `drain` or `kill` no worker starts, and the group ends with its last worker.
 *  WORKERS-5  A worker that leaves several pings in a row unanswered is killed and replaced. Pings are counted, not
 *             time: a machine that slept must not lose its workers.
 */
import type { Clock } from '../clock.ts';
import type { SharedPorts, WorkerRole } from '../config/supervision.ts';
import type { Log } from '../telemetry/log.ts';
import type { FromWorker, Listening } from './messages.ts';
import { RestartDelay } from './restart-delay.ts';
import { Scrapes } from './scrapes.ts';
import type { Exit, WorkerEvents, WorkerProcess } from './worker-process.ts';

export interface WorkerGroupPorts {
  readonly workers: number;
  /** `ports` is null until the first worker has listened. */
  readonly fork: (role: WorkerRole, ports: SharedPorts | null, events: WorkerEvents) => WorkerProcess;
  readonly clock: Clock;
  readonly log: Log;
  /** The whole group listens for the first time. */
  readonly complete: (listening: Listening) => void;
  /** A worker has a file to reopen. */
  readonly reopens: () => void;
  /** The last worker has ended. */
  readonly ended: (code: number) => void;
}

interface Worker {
  readonly process: WorkerProcess;
  /** Monotonic time; null until it listens. */
  listeningSinceMs: number | null;
  unansweredPings: number;
}

type Phase =
  | { readonly kind: 'starting' }
  | { readonly kind: 'complete' }
  | { readonly kind: 'ending'; readonly code: number };

const PING_EVERY_MS = 10_000;
const UNANSWERED_PINGS_MAX = 6;
/** Less than a scraper waits. */
const COLLECT_WITHIN_MS = 2_000;
/** Beyond the time in which a worker ends itself. */
const MARGIN_MS = 5_000;

export class WorkerGroup {
  readonly #ports: WorkerGroupPorts;
  readonly #workers = new Map<number, Worker>();
  readonly #delay = new RestartDelay();
  readonly #scrapes: Scrapes;
  #phase: Phase = { kind: 'starting' };
  #lastNumber = 0;
  #shared: SharedPorts | null = null;
  #endsWithinMs = 0;
  /** Workers that the group replaces after a pause. */
  #paused = 0;
  #restarts = 0;
  #stopPings: () => void = () => {};

  constructor(ports: WorkerGroupPorts) {
    this.#ports = ports;
    this.#scrapes = new Scrapes(ports.clock, COLLECT_WITHIN_MS);
  }

  start(): void {
    this.#ping();
    this.#fill();
  }

  /** All workers hand their sessions over and end. */
  drain(): void {
    this.#end(0);
  }

  /** All workers end without a drain. */
  kill(): void {
    this.#end(1);
    if (this.#phase.kind === 'ending') this.#phase = { kind: 'ending', code: Math.max(1, this.#phase.code) };
    for (const { process } of this.#workers.values()) process.kill('SIGKILL');
  }

  reopen(): void {
    for (const { process } of this.#serving()) process.send({ type: 'reopen' });
  }

  #serving(): readonly Worker[] {
    return [...this.#workers.values()].filter(({ listeningSinceMs }) => listeningSinceMs !== null);
  }

  #fill(): void {
    if (this.#phase.kind === 'ending') return;
    const joins = this.#serving().length > 0;
    const missing = this.#ports.workers - this.#workers.size - this.#paused;
    const count = joins ? missing : this.#workers.size === 0 ? Math.min(1, missing) : 0; // WORKERS-1
    for (let started = 0; started < count; started += 1) this.#fork(joins);
  }

  #fork(joins: boolean): void {
    this.#lastNumber += 1; // WORKERS-2
    const number = this.#lastNumber;
    const process = this.#ports.fork({ number, joins }, this.#shared, {
      message: (message) => this.#onMessage(number, message),
      exited: (exit) => this.#onExit(number, exit),
    });
    this.#workers.set(number, { process, listeningSinceMs: null, unansweredPings: 0 });
  }

  #onMessage(number: number, message: FromWorker): void {
    const worker = this.#workers.get(number);
    if (worker === undefined) return;
    switch (message.type) {
      case 'listening': {
        const { listening, endsWithinMs, reopens } = message;
        worker.listeningSinceMs = this.#ports.clock.monotonicMs();
        this.#shared = listening;
        this.#endsWithinMs = endsWithinMs;
        if (reopens) this.#ports.reopens();
        this.#fill();
        if (this.#phase.kind !== 'starting' || this.#serving().length < this.#ports.workers) return;
        this.#phase = { kind: 'complete' };
        return this.#ports.complete(listening);
      }
      case 'scrape':
        return this.#scrapes.collect(
          (id) => this.#collect(id),
          (texts) => {
            const { workers } = this.#ports;
            const scraped = { texts, workers, restarts: this.#restarts };
            worker.process.send({ type: 'scraped', id: message.id, ...scraped });
          },
        );
      case 'collected':
        return this.#scrapes.collected(message.id, number, message.text);
      case 'pong':
        worker.unansweredPings = 0;
    }
  }

  #collect(id: number): readonly number[] {
    const asked = [...this.#workers].filter(([, { listeningSinceMs }]) => listeningSinceMs !== null);
    for (const [, { process }] of asked) process.send({ type: 'collect', id });
    return asked.map(([number]) => number);
  }

  #onExit(number: number, { code, signal }: Exit): void {
    const worker = this.#workers.get(number);
    if (worker === undefined) return;
    const { clock, log, ended } = this.#ports;
    this.#workers.delete(number);
    this.#scrapes.forget(number);
    if (this.#phase.kind === 'ending') {
      // A worker whose drain failed exits with 1, and so does the group. One that had not listened had nothing to
      // drain, and the signal may have ended it before it had a handler.
      const worst = Math.max(this.#phase.code, worker.listeningSinceMs === null ? 0 : code);
      this.#phase = { kind: 'ending', code: worst };
      if (this.#workers.size === 0) ended(worst);
      return;
    }
    const { listeningSinceMs } = worker;
    const hasServed = listeningSinceMs !== null;
    const isHopeless = this.#phase.kind === 'starting' || this.#serving().length === 0;
    const details = { worker: number, workerPid: worker.process.pid, code, signal };
    if (!hasServed && isHopeless) {
      // The worker has logged its reason, unless a signal ended it.
      log[signal === null ? 'info' : 'error'](details, 'a worker could not start, ending all workers');
      return this.#end(code); // WORKERS-3
    }
    const delayMs = this.#delay.after(hasServed ? clock.monotonicMs() - listeningSinceMs : 0);
    log.error({ ...details, delayMs }, 'a worker ended, starting another');
    this.#restarts += 1;
    this.#paused += 1;
    clock.after(delayMs, () => {
      this.#paused -= 1;
      this.#fill();
    });
  }

  #end(code: number): void {
    if (this.#phase.kind === 'ending') return;
    this.#phase = { kind: 'ending', code }; // WORKERS-4
    this.#stopPings();
    if (this.#workers.size === 0) return this.#ports.ended(code);
    // A worker that still loads its program reads no messages.
    for (const { process, listeningSinceMs } of this.#workers.values())
      if (listeningSinceMs === null) process.kill('SIGTERM');
      else process.send({ type: 'drain' });
    const withinMs = this.#endsWithinMs + MARGIN_MS;
    this.#ports.clock.after(withinMs, () => {
      this.#ports.log.error({ withinMs }, 'workers did not end in time, killing them');
      for (const { process } of this.#workers.values()) process.kill('SIGKILL');
    });
  }

  #ping(): void {
    this.#stopPings = this.#ports.clock.after(PING_EVERY_MS, () => {
      for (const [worker, { process, unansweredPings }] of this.#workers)
        if (unansweredPings >= UNANSWERED_PINGS_MAX) {
          this.#ports.log.error({ worker, workerPid: process.pid }, 'a worker hangs, killing it');
          process.kill('SIGKILL'); // WORKERS-5
        }
      for (const worker of this.#serving()) {
        worker.unansweredPings += 1;
        worker.process.send({ type: 'ping' });
      }
      this.#ping();
    });
  }
}
