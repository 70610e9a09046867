/**
 * SimNetwork lies between the instances and the store: it carries requests, replies, hints and instance messages.
 *
 *  NETWORK-1  On one connection requests arrive in the order in which they were sent, and so do replies. A call that
 *             the plan delays arrives alone, after its connection broke.
 *  NETWORK-2  Only a call whose request or reply was lost is rejected: its caller cannot know whether it was applied.
 *  NETWORK-3  A dead process sends and receives nothing. Its earlier requests are still in flight.
 *  NETWORK-4  After its subscriber connection is back, an instance gets a hint for every session that it watches, as
 *             from the Redis store, because earlier hints are lost.
 */

import { CodedError } from '../../../src/errors.ts';
import type { Hint } from '../../../src/store/contract.ts';
import type { Fault } from '../fault-plan.ts';
import { type Random, randomStream } from '../random.ts';
import type { CallName, Line } from '../store/store-handle.ts';
import type { Scheduler } from './scheduler.ts';
import type { SimProcess } from './sim-process.ts';

type CallFault = Extract<Fault, { kind: 'call' }>;

export interface NetworkPorts {
  readonly scheduler: Scheduler;
  readonly seed: number;
  readonly faults: readonly Fault[];
  readonly crash: (process: SimProcess) => void;
  readonly note: (line: () => string) => void;
}

/** As `commandTimeoutMs` of the Redis store: after this the call rejects without an outcome. */
const TIMEOUT_MS = 1_000;
const BROKEN_MS = 5;
const LOST_WORD_MS = 700;

interface Ear {
  readonly process: SimProcess;
  readonly slot: string;
  readonly watched: Set<string>;
  readonly hintListeners: ((hint: Hint) => void)[];
  readonly signalListeners: Map<string, (message: string) => void>;
  lastWordAt: number;
}

/** A fault between the store and one instance, or all. */
type Cut = {
  readonly slot: string | null;
  readonly words: boolean;
  readonly calls: boolean;
  readonly silent: boolean;
};

export class SimNetwork {
  readonly #ports: NetworkPorts;
  readonly #ears = new Set<Ear>();
  readonly #cuts = new Set<Cut>();
  readonly #calls = new Map<string, number>();
  readonly #words = new Map<string, number>();
  readonly #latency = new Map<string, Random>();

  constructor(ports: NetworkPorts) {
    this.#ports = ports;
  }

  cut(slot: string | null, what: 'store' | 'words' | 'both', silent: boolean, forMs: number): void {
    const cut: Cut = { slot, words: what !== 'store', calls: what !== 'words', silent };
    this.#cuts.add(cut);
    this.#ports.scheduler.after(forMs, () => {
      this.#cuts.delete(cut);
      this.#ports.note(() => `the way from ${slot ?? 'everybody'} to the store stands again (${what})`);
      if (!cut.words) return;
      for (const ear of this.#ears)
        if ((slot === null || ear.slot === slot) && this.#cutOf(ear.slot, 'words') === null)
          for (const sessionId of ear.watched) this.#tell(ear, { kind: 'moved', sessionId });
    });
  }

  connect(slot: string, process: SimProcess): Line {
    const ear: Ear = {
      process,
      slot,
      watched: new Set(),
      hintListeners: [],
      signalListeners: new Map(),
      lastWordAt: 0,
    };
    this.#ears.add(ear);
    const connection = { requestAt: 0, replyAt: 0 };
    const call = <T>(name: CallName, sessionId: string | null, work: () => T): Promise<T> => {
      if (!process.alive) return new Promise<T>(() => {});
      return new Promise<T>((resolve, reject) => {
        this.#send(slot, process, connection, name, sessionId, work, resolve, reject);
      });
    };
    return {
      call,
      watch: async (sessionId) => {
        if (this.#cutOf(slot, 'words') !== null) throw broken('no connection to listen on');
        await call('watch', sessionId, () => ear.watched.add(sessionId));
      },
      unwatch: (sessionId) => void ear.watched.delete(sessionId),
      onHint: (listener) => void ear.hintListeners.push(listener),
      onSignal: async (instance, listener) => {
        await call('watch', null, () => ear.signalListeners.set(instance, listener));
      },
      relay: (instance, message) => {
        for (const other of this.#ears) {
          const listener = other.signalListeners.get(instance);
          if (listener !== undefined) this.#say(other, `signal ${kindOf(message)}`, () => listener(message));
        }
      },
    };
  }

  publish(hint: Hint): void {
    for (const ear of this.#ears) if (ear.watched.has(hint.sessionId)) this.#tell(ear, hint);
  }

  #tell(ear: Ear, hint: Hint): void {
    this.#say(ear, `hint ${hint.kind}`, () => {
      // A hint that is under way when its session is unwatched reaches no listener.
      if (ear.watched.has(hint.sessionId)) for (const listener of ear.hintListeners) listener(hint);
    });
  }

  #say(ear: Ear, what: string, hear: () => void): void {
    if (!ear.process.alive) return void this.#ears.delete(ear);
    const nth = (this.#words.get(ear.slot) ?? 0) + 1;
    this.#words.set(ear.slot, nth);
    const lost = this.#ports.faults.some(
      (fault) => fault.kind === 'word' && fault.node === ear.slot && fault.nth === nth,
    );
    // A word is lost with the connection that carries it, and the one after it hints again (NETWORK-4).
    if (lost) this.cut(ear.slot, 'words', true, LOST_WORD_MS);
    if (this.#cutOf(ear.slot, 'words') !== null)
      return this.#ports.note(() => `${ear.process.name} does not hear: ${what}`);
    ear.lastWordAt = Math.max(ear.lastWordAt, this.#ports.scheduler.now + this.#latencyOf(ear.slot));
    ear.process.io(ear.lastWordAt - this.#ports.scheduler.now, () => {
      this.#ports.note(() => `${ear.process.name} hears: ${what}`);
      hear();
    });
  }

  #send<T>(
    slot: string,
    process: SimProcess,
    connection: { requestAt: number; replyAt: number },
    name: CallName,
    sessionId: string | null,
    work: () => T,
    resolve: (value: T) => void,
    reject: (error: Error) => void,
  ): void {
    const { scheduler, note } = this.#ports;
    const refuse = (afterMs: number, why: string) => process.io(afterMs, () => reject(broken(why)));
    const standing = this.#cutOf(slot, 'calls');
    if (standing !== null) {
      note(() => `${process.name} ${name}: no way to the store`);
      return refuse(
        standing.silent ? TIMEOUT_MS : 1,
        standing.silent ? 'Command timed out' : 'no connection',
      );
    }
    const fault = this.#faultOf(slot, name);
    const describe = () => `${process.name} ${name}${sessionId === null ? '' : ` ${sessionId.slice(0, 4)}`}`;
    if (fault !== null) note(() => `${describe()}: ${fault.effect} (${fault.ms} ms)`);
    const effect = fault?.effect;
    if (effect === 'crash before') return this.#ports.crash(process);
    if (effect === 'lose request') return refuse(Math.min(fault?.ms ?? 0, TIMEOUT_MS), 'connection lost');

    const late = effect === 'late request';
    const transit = this.#latencyOf(slot);
    const arriveAt = late
      ? scheduler.now + transit + (fault?.ms ?? 0)
      : Math.max(connection.requestAt, scheduler.now + transit);
    if (late) refuse(Math.min(BROKEN_MS, fault?.ms ?? 0), 'connection lost');
    else connection.requestAt = arriveAt;

    scheduler.after(arriveAt - scheduler.now, () => {
      const cut = this.#cutOf(slot, 'calls');
      if (cut !== null) return late ? undefined : refuse(TIMEOUT_MS, 'Command timed out');
      const value = work();
      note(() => `${describe()} → ${short(value)}`);
      if (late) return;
      if (effect === 'crash after') return this.#ports.crash(process);
      if (effect === 'twice') {
        scheduler.after(fault?.ms ?? 0, () => {
          const again = work();
          note(() => `${describe()} again → ${short(again)}`);
        });
      }
      if (effect === 'lose reply') return refuse(Math.min(fault?.ms ?? 0, TIMEOUT_MS), 'connection lost');
      const slowMs = effect === 'slow reply' ? (fault?.ms ?? 0) : 0;
      connection.replyAt = Math.max(connection.replyAt, scheduler.now + this.#latencyOf(slot) + slowMs);
      const replyMs = connection.replyAt - scheduler.now;
      if (replyMs > TIMEOUT_MS) return refuse(TIMEOUT_MS, 'Command timed out');
      process.io(replyMs, () => resolve(value));
    });
  }

  #faultOf(slot: string, name: CallName): CallFault | null {
    // These come by the clock in great numbers; faults on them would seldom meet anything else.
    if (name === 'sweep' || name === 'heartbeat' || name === 'farewell') return null;
    const nths: Partial<Record<CallName | 'any', number>> = {
      any: this.#count(slot),
      [name]: this.#count(`${slot} ${name}`),
    };
    for (const fault of this.#ports.faults)
      if (fault.kind === 'call' && fault.node === slot && nths[fault.of] === fault.nth) return fault;
    return null;
  }

  #count(what: string): number {
    const nth = (this.#calls.get(what) ?? 0) + 1;
    this.#calls.set(what, nth);
    return nth;
  }

  #cutOf(slot: string, what: 'words' | 'calls'): Cut | null {
    for (const cut of this.#cuts) if ((cut.slot === null || cut.slot === slot) && cut[what]) return cut;
    return null;
  }

  #latencyOf(slot: string): number {
    let random = this.#latency.get(slot);
    if (random === undefined) {
      random = randomStream(this.#ports.seed, `latency of ${slot}`);
      this.#latency.set(slot, random);
    }
    // Mostly quick, now and then much slower than the rest: that is where orders change.
    const dice = random.next();
    return dice < 0.9 ? 0.2 + random.next() * 3 : 3 + random.next() * 40;
  }
}

function broken(why: string): Error {
  return new CodedError('STORE_UNAVAILABLE', `simulated store: ${why}`);
}

/** Not the whole of it: connections have random names, and a trace must be the same each time. */
function kindOf(message: string): string {
  return (JSON.parse(message) as { readonly kind: string }).kind;
}

function short(value: unknown): string {
  if (typeof value === 'object' && value !== null && 'kind' in value) return String(value.kind);
  return Array.isArray(value) ? `[${value.length}]` : typeof value;
}
