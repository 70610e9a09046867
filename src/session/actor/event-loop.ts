/**
 * EventLoop hands a session its commands one at a time, in the order in which they came.
 *
 *  LOOP-1  The loop takes the next command once the handler of the previous one has resolved. Idle work runs only while
 *          no command waits.
 *  LOOP-2  A stopped loop takes no command; it gives each waiting command back to its sender.
 *  LOOP-3  A command whose handler throws still gets an answer. Its effect is unknown, but without an answer the sender
 *          would wait for ever, and so would a drain.
 *  LOOP-4  The mailbox is bounded for clients' input only. The actor's own commands always have room: a full mailbox
 *          might otherwise lack the timer that empties it.
 */
import type { SessionEvent } from '../../../machines/vocabulary.ts';
import { type Outcome, refused, untaken } from '../machine/outcome.ts';
import type { RunResult } from '../turn/generation.ts';

export type Command =
  | {
      readonly kind: 'event';
      readonly event: SessionEvent;
      readonly fromInbox: boolean;
      readonly settle: (outcome: Outcome) => void;
    }
  | { readonly kind: 'timer'; readonly id: string }
  | { readonly kind: 'result'; readonly key: string; readonly result: RunResult }
  | { readonly kind: 'drain-inbox' }
  | { readonly kind: 'renew'; readonly settle: () => void }
  | { readonly kind: 'release'; readonly handOver: boolean; readonly settle: (released: boolean) => void };

export interface EventLoopPorts {
  readonly handle: (command: Command) => Promise<void>;
  /** Starts work that needs no command; null: there is none. */
  readonly idleWork: () => Promise<void> | null;
  /** Runs when the loop comes to rest. */
  readonly onRest: () => void;
  /** Runs when a handler throws; it calls `stop`. */
  readonly onCrash: (error: unknown) => void;
}

const MAILBOX_MAX = 256;

export class EventLoop {
  readonly #ports: EventLoopPorts;
  readonly #mailbox = new Mailbox();
  #isRunning = false;
  #isStopped = false;

  constructor(ports: EventLoopPorts) {
    this.#ports = ports;
  }

  get isStopped(): boolean {
    return this.#isStopped;
  }

  /** True while no command waits and none is handled. */
  get isIdle(): boolean {
    return !this.#isStopped && !this.#isRunning && this.#mailbox.length === 0;
  }

  get hasCommands(): boolean {
    return this.#mailbox.length > 0;
  }

  /** LOOP-4 */
  get isFull(): boolean {
    return this.#mailbox.length >= MAILBOX_MAX;
  }

  post(command: Command): void {
    if (this.#isStopped) return giveBack(command);
    this.#mailbox.post(command);
    this.wake();
  }

  /** Posts input from the inbox ahead of all waiting commands, because it came first. Only a handler may call this. */
  postFirst(commands: readonly Command[]): void {
    this.#mailbox.postFirst(commands);
  }

  /** Looks for idle work. */
  wake(): void {
    if (!this.#isRunning && !this.#isStopped) void this.#run();
  }

  stop(): void {
    this.#isStopped = true;
    for (const command of this.#mailbox.drain()) giveBack(command);
  }

  async #run(): Promise<void> {
    this.#isRunning = true;
    let command: Command | undefined;
    try {
      while (!this.#isStopped) {
        command = this.#mailbox.take();
        const work = command === undefined ? this.#ports.idleWork() : this.#ports.handle(command);
        if (work === null) break;
        await work;
      }
    } catch (error) {
      this.#ports.onCrash(error);
      if (command?.kind === 'event') command.settle(refused('internal'));
      else if (command !== undefined) giveBack(command);
    } finally {
      this.#isRunning = false;
    }
    if (!this.#isStopped) this.#ports.onRest();
  }
}

function giveBack(command: Command): void {
  if (command.kind === 'event') command.settle(untaken);
  else if (command.kind === 'release') command.settle(true);
  else if (command.kind === 'renew') command.settle();
}

/** The commands that wait, first in, first out. */
export class Mailbox {
  #commands: Command[] = [];
  #first = 0;

  get length(): number {
    return this.#commands.length - this.#first;
  }

  post(command: Command): void {
    this.#commands.push(command);
  }

  postFirst(commands: readonly Command[]): void {
    this.#commands = [...commands, ...this.#commands.slice(this.#first)];
    this.#first = 0;
  }

  take(): Command | undefined {
    if (this.#first === this.#commands.length) return undefined;
    const command = this.#commands[this.#first];
    this.#first += 1;
    // Array.shift is linear, so an index moves instead; the array is cut now and then.
    if (this.#first === this.#commands.length || this.#first > 1024) {
      this.#commands = this.#commands.slice(this.#first);
      this.#first = 0;
    }
    return command;
  }

  drain(): readonly Command[] {
    const rest = this.#commands.slice(this.#first);
    this.#commands = [];
    this.#first = 0;
    return rest;
  }
}
