/**
 * LineFile appends lines to a file or to stdout: one line, one write.
 *
 *  APPEND-1  `write` returns once the operating system has the line, or the line waits. Lines keep their order.
 *  APPEND-2  A line that was written in part is written again, whole and on a line of its own. Another process may have
 *            appended meanwhile, and would end up in the middle of it.
 *  APPEND-3  Waiting lines are bounded; beyond the bound the newest are lost and counted.
 *  APPEND-4  While lines wait, a timer tries again: a log that nobody writes to recovers too.
 */
import { closeSync, fstatSync, openSync, writeSync } from 'node:fs';
import type { Clock } from '../clock.ts';
import { codeOf } from '../errors.ts';
import { endsInMidLine } from './file-tail.ts';
import { digestOf } from './sealed-line.ts';

export interface LineFileOptions {
  /** A path, or `stdout`. */
  readonly destination: string;
  readonly clock: Pick<Clock, 'after'>;
  /** Gives a line its final form, right before it is written; `written` is called once it is. */
  readonly form: (text: string) => { readonly line: string; readonly written: () => void };
  /** Called for each failed attempt. */
  readonly failed: (error: unknown) => void;
  /** Called once no line waits any more after a failure. */
  readonly recovered: (damage: Damage) => void;
}

export interface Damage {
  /** Digests of the parts of lines that are in the file. */
  readonly torn: readonly string[];
  /** Lines that will never be written. */
  readonly lost: number;
}

const WAITING_MAX_LENGTH = 16 * 1024 * 1024;
/** Lines that one attempt writes at most: the event loop must go on while a long outage is written down. */
const LINES_PER_ATTEMPT = 2_000;
const RETRY_MS = 250;
const TORN_MAX = 64;
const STDOUT = 1;

export class LineFile {
  readonly #options: LineFileOptions;
  #descriptor: number;
  /** Whether the file ends in the middle of a line (APPEND-2). */
  #isTorn: boolean;
  #waiting: string[] = [];
  #waitingLength = 0;
  #torn: string[] = [];
  #lost = 0;
  #isFailing = false;
  #isClosed = false;
  #cancelRetry = (): void => {};

  /** Throws if the file cannot be opened. */
  constructor(options: LineFileOptions) {
    this.#options = options;
    const { destination } = options;
    this.#descriptor = descriptorOf(destination);
    this.#isTorn = destination !== 'stdout' && endsInMidLine(destination);
  }

  /** False if a line waits, this one or an earlier one. `first`: it overtakes the lines that wait. */
  write(text: string, place: 'last' | 'first' = 'last'): boolean {
    if (this.#isClosed) return false;
    if (this.#isFullFor(text)) this.flush();
    if (this.#isFullFor(text)) {
      this.#lost += 1;
      if (this.#lost === 1) this.#options.failed(new Error('too many lines wait'));
      return false;
    }
    if (place === 'first') this.#waiting.unshift(text);
    else this.#waiting.push(text);
    this.#waitingLength += text.length;
    return this.flush();
  }

  /** True if no line waits. */
  flush(): boolean {
    if (this.#isClosed) return false;
    let taken = 0;
    try {
      for (const text of this.#waiting) {
        if (taken === LINES_PER_ATTEMPT) break;
        this.#append(text);
        taken += 1;
        this.#waitingLength -= text.length;
      }
    } catch (error) {
      // A pipe whose reader is slow takes the line soon.
      if (codeOf(error) !== 'EAGAIN') {
        this.#isFailing = true;
        this.#options.failed(error);
      }
    }
    // During an outage every call comes here: it must not copy all that waits.
    if (taken > 0) this.#waiting = this.#waiting.slice(taken);
    this.#cancelRetry();
    if (this.#waiting.length > 0) {
      this.#cancelRetry = this.#options.clock.after(RETRY_MS, () => void this.flush());
      return false;
    }
    // A slow pipe is no failure, but may have taken a part of a line.
    if (this.#isFailing || this.#torn.length > 0 || this.#lost > 0) this.#recover();
    return this.#waiting.length === 0;
  }

  /** True if another file has the path now. The new file is open before the old one is closed. */
  reopen(): boolean {
    const { destination } = this.#options;
    if (destination === 'stdout' || this.#isClosed) return false;
    const next = descriptorOf(destination);
    const former = this.#descriptor;
    if (isSameFile(next, former)) {
      closeSync(next);
      return false;
    }
    this.#isTorn = endsInMidLine(destination);
    this.#descriptor = next;
    closeSync(former);
    return true;
  }

  /** The lines that still wait are lost. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#cancelRetry();
    if (this.#descriptor !== STDOUT) closeSync(this.#descriptor);
  }

  #isFullFor(text: string): boolean {
    return this.#waitingLength + text.length > WAITING_MAX_LENGTH;
  }

  /** Throws if the line is not written whole. */
  #append(text: string): void {
    const { line, written } = this.#options.form(text);
    const bytes = Buffer.from(`${this.#isTorn ? '\n' : ''}${line}\n`);
    let done = 0;
    try {
      while (done < bytes.length) done += writeSync(this.#descriptor, bytes, done);
    } catch (error) {
      const part = bytes.subarray(this.#isTorn ? 1 : 0, done).toString('latin1');
      if (part !== '') {
        this.#isTorn = true;
        if (this.#torn.length < TORN_MAX) this.#torn.push(digestOf(part));
      } else if (done > 0) this.#isTorn = false;
      throw error;
    }
    this.#isTorn = false;
    written();
  }

  #recover(): void {
    const damage = { torn: this.#torn, lost: this.#lost };
    this.#isFailing = false;
    this.#torn = [];
    this.#lost = 0;
    this.#options.recovered(damage);
  }
}

function descriptorOf(destination: string): number {
  return destination === 'stdout' ? STDOUT : openSync(destination, 'a', 0o600);
}

function isSameFile(one: number, other: number): boolean {
  const [a, b] = [fstatSync(one), fstatSync(other)];
  return a.ino === b.ino && a.dev === b.dev;
}
