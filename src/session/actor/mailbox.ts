/**
 * A session's mailbox: whatever may change the session waits here in the order in which it came (G3).
 * Bounded for input from outside; what the actor says to itself always has room, or a full mailbox would wait for a
 * timer that cannot be posted.
 */
import type { SessionEvent } from '../../../machines/vocabulary.ts';
import type { Outcome } from '../machine/outcome.ts';
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

export const MAILBOX_MAX = 256;

export class Mailbox {
  #letters: Command[] = [];
  #first = 0;

  get length(): number {
    return this.#letters.length - this.#first;
  }

  post(letter: Command): void {
    this.#letters.push(letter);
  }

  /** Before whatever waits: input from the inbox came before it. */
  postFirst(letters: readonly Command[]): void {
    this.#letters = [...letters, ...this.#letters.slice(this.#first)];
    this.#first = 0;
  }

  take(): Command | undefined {
    if (this.#first === this.#letters.length) return undefined;
    const letter = this.#letters[this.#first];
    this.#first += 1;
    // Shifting an array is linear; letting the head run and cutting it off now and then is not.
    if (this.#first === this.#letters.length || this.#first > 1024) {
      this.#letters = this.#letters.slice(this.#first);
      this.#first = 0;
    }
    return letter;
  }

  drain(): readonly Command[] {
    const rest = this.#letters.slice(this.#first);
    this.#letters = [];
    this.#first = 0;
    return rest;
  }
}
