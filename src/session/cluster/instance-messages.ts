/**
 * InstanceMessages carries short messages between instances, and matches answers to questions. Delivery is best effort:
 * data that must not be lost is in the store.
 */
import { z } from 'zod';
import type { Clock } from '../../clock.ts';
import type { Store } from '../../store/contract.ts';

const messageSchema = z.discriminatedUnion('kind', [
  /** A client of the session attached to `from`: release the session if nothing is under way. */
  z.object({ kind: z.literal('release'), sessionId: z.string(), from: z.string() }),
  z.object({ kind: z.literal('released'), sessionId: z.string() }),
  z.object({ kind: z.literal('kept'), sessionId: z.string() }),
  /** The session's inbox has a new entry. */
  z.object({ kind: z.literal('inbox'), sessionId: z.string() }),
  /** The owner refused the input of a connection. */
  z.object({
    kind: z.literal('refused'),
    sessionId: z.string(),
    connection: z.string(),
    code: z.string(),
    messageId: z.string().optional(),
  }),
  /** The owner stored the `extend` of a connection. */
  z.object({
    kind: z.literal('extended'),
    sessionId: z.string(),
    connection: z.string(),
    expiresAt: z.number(),
    absoluteExpiresAt: z.number(),
  }),
  /** The client attached with a new connection: close its user's connections that attached before `version`. */
  z.object({
    kind: z.literal('replaced'),
    sessionId: z.string(),
    clientId: z.string(),
    // An instance of an earlier version names no user: its message must not close a named user's connection.
    userId: z.string().nullable().default(null),
    version: z.number(),
  }),
  /** The session's owner attached: close the connections without a user that attached up to `version`. */
  z.object({ kind: z.literal('owned'), sessionId: z.string(), version: z.number() }),
]);

export type InstanceMessage = z.infer<typeof messageSchema>;

/** A live owner answers within this time; a dead owner never does, and the client waits meanwhile. */
const RELEASE_WAIT_MS = 400;

export class InstanceMessages {
  readonly #store: Store;
  readonly #clock: Clock;
  readonly #instance: string;
  readonly #awaitingRelease = new Map<string, Set<(released: boolean) => void>>();

  constructor(store: Store, clock: Clock, instance: string) {
    this.#store = store;
    this.#clock = clock;
    this.#instance = instance;
  }

  /** Answers to this instance's questions settle those; all other messages go to `listener`. */
  start(listener: (message: InstanceMessage) => void): Promise<void> {
    return this.#store.onSignal(this.#instance, (json) => {
      const message = parse(json);
      if (message === null) return;
      if (message.kind !== 'released' && message.kind !== 'kept') return listener(message);
      const waiting = this.#awaitingRelease.get(message.sessionId);
      for (const answer of [...(waiting ?? [])]) answer(message.kind === 'released');
    });
  }

  send(instance: string, message: InstanceMessage): Promise<void> {
    return this.#store.signal(instance, JSON.stringify(message));
  }

  /** Sends without waiting. An instance that misses the message finds the same in the store. */
  notify(instance: string, message: InstanceMessage): void {
    this.send(instance, message).catch(() => {});
  }

  /** Asks the owner to release the session; true if it did. */
  askRelease(sessionId: string, owner: string): Promise<boolean> {
    const waiting = this.#awaitingRelease.get(sessionId) ?? new Set();
    this.#awaitingRelease.set(sessionId, waiting);
    return new Promise((resolve) => {
      const answer = (released: boolean) => {
        cancel();
        waiting.delete(answer);
        if (waiting.size === 0) this.#awaitingRelease.delete(sessionId);
        resolve(released);
      };
      const cancel = this.#clock.after(RELEASE_WAIT_MS, () => answer(false));
      waiting.add(answer);
      this.send(owner, { kind: 'release', sessionId, from: this.#instance }).catch(() => answer(false));
    });
  }
}

function parse(json: string): InstanceMessage | null {
  try {
    return messageSchema.parse(JSON.parse(json));
  } catch {
    return null;
  }
}
