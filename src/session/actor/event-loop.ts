/**
 * Works through a session's mailbox.
 *
 *  C1  One letter at a time: the next is taken when the one before is done with (G3). What can wait is done when no
 *      letter does.
 *  C2  Once it has stopped no letter is taken any more, and each that is left is given back to its sender.
 *  C3  A letter at which it crashed is answered all the same: whether it took effect nobody knows, but left without an
 *      answer its sender would wait for ever, and so would a drain.
 */

import { refused, untaken } from '../machine/outcome.ts';
import { type Command, MAILBOX_MAX, Mailbox } from './mailbox.ts';

export interface EventLoopPorts {
  readonly handle: (letter: Command) => Promise<void>;
  /** What there is to do while no letter waits; null where nothing is. */
  readonly meanwhile: () => Promise<void> | null;
  /** Nothing is left to do for now. */
  readonly idle: () => void;
  /** Calls `stop`. */
  readonly crashed: (error: unknown) => void;
}

export class EventLoop {
  readonly #ports: EventLoopPorts;
  readonly #mailbox = new Mailbox();
  #isWorking = false;
  #stopped = false;

  constructor(ports: EventLoopPorts) {
    this.#ports = ports;
  }

  get stopped(): boolean {
    return this.#stopped;
  }

  /** Nothing waits and nothing is under way. */
  get isIdle(): boolean {
    return !this.#stopped && !this.#isWorking && this.#mailbox.length === 0;
  }

  get hasMail(): boolean {
    return this.#mailbox.length > 0;
  }

  /** Nobody from outside may send more now. */
  get isFull(): boolean {
    return this.#mailbox.length >= MAILBOX_MAX;
  }

  post(letter: Command): void {
    if (this.#stopped) return giveBack(letter);
    this.#mailbox.post(letter);
    this.wake();
  }

  /** Only while a letter is handled: they are taken next. */
  postFirst(letters: readonly Command[]): void {
    this.#mailbox.postFirst(letters);
  }

  /** There may be something to do meanwhile. */
  wake(): void {
    if (!this.#isWorking && !this.#stopped) void this.#work();
  }

  stop(): void {
    this.#stopped = true;
    for (const letter of this.#mailbox.drain()) giveBack(letter);
  }

  async #work(): Promise<void> {
    this.#isWorking = true;
    let letter: Command | undefined;
    try {
      while (!this.#stopped) {
        letter = this.#mailbox.take();
        const work = letter === undefined ? this.#ports.meanwhile() : this.#ports.handle(letter);
        if (work === null) break;
        await work;
      }
    } catch (error) {
      this.#ports.crashed(error);
      if (letter?.kind === 'event') letter.settle(refused('internal'));
      else if (letter !== undefined) giveBack(letter);
    } finally {
      this.#isWorking = false;
    }
    if (!this.#stopped) this.#ports.idle();
  }
}

function giveBack(letter: Command): void {
  if (letter.kind === 'event') letter.settle(untaken);
  else if (letter.kind === 'release') letter.settle(true);
  else if (letter.kind === 'renew') letter.settle();
}
