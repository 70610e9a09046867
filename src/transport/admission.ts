/**
 * Admission applies the rate limits of one connection, in the order of its frames.
 *
 *  ADMIT-1  No frame overtakes another: while a limit answers, later frames wait, whether they are counted or not.
 */
import { type Limits, senderKey } from '../limits/limits.ts';
import type { ClientFrame, HelloFrame } from '../protocol/client-frames.ts';

export class Admission {
  readonly #limits: Limits;
  readonly #address: string;
  #hellos = 0;
  /** Settles once every earlier frame was admitted or refused. */
  #earlier: Promise<void> = Promise.resolve();

  constructor(limits: Limits, address: string) {
    this.#limits = limits;
    this.#address = address;
  }

  /** Milliseconds that the hello must wait; 0 admits it. The upgrade counted the connection's first hello. */
  async helloWaitMs({ session_id }: HelloFrame): Promise<number> {
    const { connections, guesses } = this.#limits;
    this.#hellos += 1;
    const waitMs = connections === null || this.#hellos === 1 ? 0 : await connections.take(this.#address);
    return waitMs > 0 || guesses === null || session_id === undefined ? waitMs : guesses.wait(this.#address);
  }

  /** Counts a hello that named a session which does not exist, or which its client may not enter. */
  countGuess(): void {
    this.#limits.guesses?.spend(this.#address);
  }

  /** Calls `take` with 0 for an admitted frame, else with the milliseconds to wait. Without a limit it does so synchronously. */
  admit(frame: ClientFrame, sessionId: string, userId: string | null, take: (waitMs: number) => void): void {
    const { messages } = this.#limits;
    if (messages === null) return take(0);
    this.#earlier = this.#earlier.then(async () => {
      const isCounted = frame.type === 'message' || frame.type === 'extend';
      take(isCounted ? await messages.take(senderKey(userId, sessionId)) : 0);
    });
  }
}
