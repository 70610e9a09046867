/**
 * The actor rig: a session actor on a real store in memory, with a clock and a model that the test moves. It has no
 * sockets; stage.ts adds connections, hub and router.
 *
 * MortalSession is one session whose owners may die: a new actor on the other instance replaces each.
 * Leases follow the store's clock, deadlines the session's. So a dead owner's lease ends while the session's time stays,
 * and a test can compare a life with deaths and a life without, step by step.
 */
import { expect } from 'vitest';
import type { SessionEvent, SessionInput } from '../../../machines/vocabulary.ts';
import { loadSession } from '../../../src/session/actor/load.ts';
import type { SessionActor } from '../../../src/session/actor/session-actor.ts';
import { UserQuota } from '../../../src/session/actor/user-quota.ts';
import type { Outcome } from '../../../src/session/machine/outcome.ts';
import { writeInboxEntry } from '../../../src/session/router/inbox.ts';
import type { Store, StoredFrame } from '../../../src/store/contract.ts';
import { openSqliteStore } from '../../../src/store/sqlite/open.ts';
import { type Death, type MemoryHost, openMemoryHost } from './memory-host.ts';
import { Narrator } from './narrator.ts';
import { ScriptedGenerator } from './ports.ts';
import { VirtualClock } from './virtual-clock.ts';

const LEASE_MS = 3_000;
const FLUSH_MS = 25;

const STORE = {
  /** One database for all sessions: opening one costs more than a session's whole life. */
  dataDir: ':memory:mortal',
  leaseMs: LEASE_MS,
  frameLogMax: 10_000,
  inboxMax: 10,
};
/** Never closed, or the database would go with the first session. */
await openSqliteStore(STORE);
let begun = 0;

interface Parts {
  readonly clock: VirtualClock;
  readonly store: Store;
  readonly generator: ScriptedGenerator;
  readonly narrator: Narrator;
  readonly hosts: readonly [MemoryHost, MemoryHost];
  readonly delivered: readonly StoredFrame[];
  /** The number of lost leases: the store's clock is that much ahead. */
  readonly lost: { count: number };
}

export async function beginSession(input: SessionInput): Promise<MortalSession> {
  const clock = new VirtualClock(input.at);
  const lost = { count: 0 };
  const now = (): number => clock.now() + lost.count * (LEASE_MS + 1);
  const store = await openSqliteStore({ ...STORE, now });
  const generator = new ScriptedGenerator();
  const delivered: StoredFrame[] = [];
  const hostOf = (instance: string): MemoryHost =>
    openMemoryHost({
      instance,
      store,
      clock,
      generator,
      leaseMs: LEASE_MS,
      flushMs: FLUSH_MS,
      deliver: (frames) => void delivered.push(...frames),
    });
  const hosts = [hostOf('a'), hostOf('b')] as const;
  const quota = new UserQuota(store, 0);
  begun += 1;
  const sessionId = `${input.sessionId}-${begun}`;
  const opened = await loadSession(hosts[0].host, sessionId, { ...input, sessionId }, quota);
  if (opened.kind !== 'loaded') throw new Error(`the session was not created: ${opened.kind}`);
  const narrator = new Narrator(generator);
  return new MortalSession({ clock, store, generator, narrator, hosts, delivered, lost }, opened.actor);
}

export class MortalSession {
  readonly clock: VirtualClock;
  readonly store: Store;
  /** For a test that plays the model. */
  readonly generator: ScriptedGenerator;
  readonly narrator: Narrator;
  readonly delivered: readonly StoredFrame[];
  readonly #parts: Parts;
  #actor: SessionActor;

  constructor(parts: Parts, actor: SessionActor) {
    this.clock = parts.clock;
    this.store = parts.store;
    this.generator = parts.generator;
    this.narrator = parts.narrator;
    this.delivered = parts.delivered;
    this.#parts = parts;
    this.#actor = actor;
  }

  get id(): string {
    return this.#actor.sessionId;
  }

  get deaths(): number {
    return this.#parts.lost.count;
  }

  get #host(): MemoryHost {
    return this.deaths % 2 === 0 ? this.#parts.hosts[0] : this.#parts.hosts[1];
  }

  readonly settle = (): Promise<void> => this.#host.settle();

  /** Puts the event into the mailbox and waits for nothing. */
  post(event: SessionEvent): Promise<Outcome> {
    return this.#actor.send(event);
  }

  async send(event: SessionEvent): Promise<Outcome> {
    const outcome = this.post(event);
    await this.settle();
    return outcome;
  }

  /** Sends an event by the inbox, as from an instance that does not own the session. */
  async push(event: SessionEvent): Promise<void> {
    await this.store.push(this.id, writeInboxEntry({ event, origin: null }));
    this.#actor.drainInbox();
    await this.settle();
  }

  die(): void {
    this.#actor.stop('crashed');
  }

  /** The returned function says whether a commit came and the owner died. */
  dieAtNextCommit(death: Death): () => boolean {
    return this.#host.dieAtNextCommit(death, () => this.die());
  }

  /** Restores the session on the next owner; false if the session has ended. */
  async bringBack(): Promise<boolean> {
    if (!(await this.takeOver())) return false;
    this.narrator.tell(0);
    await this.settle();
    return true;
  }

  /** Restores the session on the next owner, before the model generates anything for it. */
  async takeOver(): Promise<boolean> {
    this.#parts.lost.count += 1;
    const opened = await loadSession(this.#host.host, this.id, null, new UserQuota(this.store, 0));
    if (opened.kind === 'absent') return false;
    if (opened.kind !== 'loaded') throw new Error(`the session was not restored: ${opened.kind}`);
    expect(opened.actor.epoch).toBeGreaterThan(this.#actor.epoch);
    this.#actor = opened.actor;
    await this.settle();
    return true;
  }
}

/** Begins a session whose turn `t1` runs. */
export async function beginAskedSession(input: SessionInput, author?: string): Promise<MortalSession> {
  const session = await beginSession(input);
  await session.send({
    type: 'message',
    at: session.clock.now(),
    messageId: 'm1',
    turnId: 't1',
    content: 'chest pain',
    ...(author === undefined ? {} : { author }),
    policy: 'queue',
    options: {},
  });
  return session;
}
