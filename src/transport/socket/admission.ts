/**
 * Admission applies the rate limits of one connection, in the order of its frames.
 *
 *  ADMIT-1  No frame overtakes another: while a limit answers, later frames wait, whether they are counted or not.
 */
import { type Limit, type Limits, type Sender, senderKey } from '../../limits/limits.ts';
import type { ClientFrame, HelloFrame } from '../../protocol/client-frames.ts';

/** Frames that cost a write each, whenever the client sends them. */
const COUNTED: ReadonlySet<ClientFrame['type']> = new Set(['message', 'regenerate', 'fork', 'extend']);

export class Admission {
  readonly #limits: Limits;
  readonly #address: string;
  #hellos = 0;
  /** Settles once every earlier frame was admitted or refused. Null until a limit counts one. */
  #earlier: Promise<void> | null = null;

  constructor(limits: Limits, address: string) {
    this.#limits = limits;
    this.#address = address;
  }

  /** Milliseconds that the hello must wait; 0 admits it, without a promise if no limit counts it. The upgrade counted the first. */
  helloWaitMs({ session_id }: HelloFrame): Promise<number> | 0 {
    this.#hellos += 1;
    const connections = this.#hellos === 1 ? null : this.#limits.connections;
    const guesses = session_id === undefined ? null : this.#limits.guesses;
    return connections === null && guesses === null ? 0 : this.#waitMs(connections, guesses);
  }

  async #waitMs(connections: Limit | null, guesses: Limit | null): Promise<number> {
    const waitMs = connections === null ? 0 : await connections.take(this.#address);
    return waitMs > 0 || guesses === null ? waitMs : guesses.wait(this.#address);
  }

  /** Counts a hello that named a session which does not exist, or which its client may not enter. */
  countGuess(): void {
    this.#limits.guesses?.spend(this.#address);
  }

  /** Calls `take` with 0 for an admitted frame, else with the milliseconds to wait. Without a limit it does so synchronously. */
  admit(frame: ClientFrame, sessionId: string, sender: Sender, take: (waitMs: number) => void): void {
    const { messages } = this.#limits;
    if (messages === null) return take(0);
    this.#earlier = (this.#earlier ?? Promise.resolve()).then(async () => {
      const isCounted = COUNTED.has(frame.type);
      take(isCounted ? await messages.take(senderKey(sender, sessionId)) : 0);
    });
  }
}
