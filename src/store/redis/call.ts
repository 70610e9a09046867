/**
 * Call is one command on its way to Redis, in the cheapest form that ioredis sends: the text is encoded already, and a
 * reply settles the caller's promise directly. ioredis' own Command encodes each argument, and carries a timer, a second
 * promise and four closures.
 *
 * CALL-1  A call settles once; a reply after its time limit changes nothing.
 */
import type { Command } from 'ioredis';

export type Argument = string | number;

export class Call {
  readonly name: string;
  /** ioredis attaches the arguments to errors, and a log line would then show what users wrote. */
  readonly args: readonly Argument[] = [];
  /** ioredis would trace each call with a second promise. */
  readonly isTraced = true;
  readonly inTransaction = false;
  readonly #text: string;
  readonly #onReply: (reply: unknown) => void;
  readonly #onError: (error: unknown) => void;
  #onSettled: (() => void) | null = null;
  #isSettled = false;

  constructor(
    name: string,
    text: string,
    onReply: (reply: unknown) => void,
    onError: (error: unknown) => void,
  ) {
    this.name = name;
    this.#text = text;
    this.#onReply = onReply;
    this.#onError = onError;
  }

  /** This object, as the type that ioredis declares. It reads no other member of a command that is sent once. */
  get command(): Command {
    return this as unknown as Command;
  }

  get isSettled(): boolean {
    return this.#isSettled;
  }

  /** Runs once the call has settled. */
  set onSettled(listener: () => void) {
    this.#onSettled = listener;
  }

  toWritable(): string {
    return this.#text;
  }

  resolve(reply: unknown): void {
    if (this.#settle()) this.#onReply(typeof reply === 'number' ? reply : textIn(reply));
  }

  reject(error: unknown): void {
    if (this.#settle()) this.#onError(error);
  }

  setReplyContext(): void {}

  #settle(): boolean {
    if (this.#isSettled) return false;
    this.#isSettled = true;
    this.#onSettled?.();
    return true;
  }
}

/** One argument in RESP. */
export function encoded(argument: Argument): string {
  const text = typeof argument === 'number' ? String(argument) : argument;
  return `$${Buffer.byteLength(text)}\r\n${text}\r\n`;
}

function textIn(reply: unknown): unknown {
  if (Buffer.isBuffer(reply)) return reply.toString();
  return Array.isArray(reply) ? reply.map(textIn) : reply;
}
