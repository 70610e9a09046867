/**
 * HelloBudget is what one connection may use before its hello is accepted. HelloQueue holds all connections that still
 * have to say hello: strangers, who may keep unfinished frames in memory.
 *
 *  HELLO-1  One deadline counts from the upgrade on. No frame restarts it, and no refused hello.
 *  HELLO-2  Above the queue's maximum the oldest connection gives way: a client that says hello immediately gets in.
 */
import type { Clock } from '../../clock.ts';
import { FRAMES_BEFORE_HELLO_MAX, HELLO_DEADLINE_MS, HELLO_MAX_BYTES } from '../../protocol/client-frames.ts';

export class HelloQueue {
  readonly #max: number;
  /** In the order of their entry. */
  readonly #waiting = new Set<HelloBudget>();

  constructor(max: number) {
    this.#max = max;
  }

  get size(): number {
    return this.#waiting.size;
  }

  enter(budget: HelloBudget): void {
    this.#waiting.add(budget);
    const [oldest] = this.#waiting;
    if (this.#waiting.size <= this.#max || oldest === undefined) return;
    this.#waiting.delete(oldest);
    oldest.giveWay(); // HELLO-2
  }

  leave(budget: HelloBudget): void {
    this.#waiting.delete(budget);
  }
}

export class HelloBudget {
  readonly #clock: Clock;
  readonly #queue: HelloQueue;
  /** Ends the connection for this reason. */
  readonly #end: (code: 'hello_timeout' | 'overloaded') => void;
  readonly #cancelDeadline: () => void;
  #isLate = false;
  #isAwaiting = false;
  #frames = 0;

  constructor(clock: Clock, queue: HelloQueue, end: (code: 'hello_timeout' | 'overloaded') => void) {
    this.#clock = clock;
    this.#queue = queue;
    this.#end = end;
    this.#cancelDeadline = clock.after(HELLO_DEADLINE_MS, () => this.#beLate());
  }

  /** The client has to say hello, for the first time or again. */
  await(): void {
    this.#isAwaiting = true;
    if (this.#isLate) this.#clock.after(0, () => this.#beLate());
    else this.#queue.enter(this);
  }

  /** Counts a frame of a client that has to say hello; null: the connection takes it. */
  refusalOf(bytes: number): 'frame_too_large' | 'too_many_bad_frames' | null {
    this.#frames += 1;
    if (this.#frames > FRAMES_BEFORE_HELLO_MAX) return 'too_many_bad_frames';
    return bytes > HELLO_MAX_BYTES ? 'frame_too_large' : null;
  }

  /** A hello came. Its answer may take longer than the deadline. */
  pause(): void {
    this.#isAwaiting = false;
    this.#queue.leave(this);
  }

  /** The hello was accepted, or the connection is closed. */
  stop(): void {
    this.pause();
    this.#cancelDeadline();
  }

  giveWay(): void {
    this.#end('overloaded');
  }

  #beLate(): void {
    this.#isLate = true;
    if (this.#isAwaiting) this.#end('hello_timeout'); // HELLO-1
  }
}
