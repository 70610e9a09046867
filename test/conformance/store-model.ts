/**
 * Compares random histories with a small model, and lets writers race. The model has no clock: leases outlast the run, so
 * an owner keeps its session until it releases or ends it.
 */
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Append, Commit, Fence, Store, StoredFrame } from '../../src/store/contract.ts';
import {
  appendOf,
  claimed,
  commitOf,
  created,
  frames,
  freshId,
  OPTIONS,
  ownerless,
  type StoreFactory,
  type StoreFixture,
} from './store-fixture.ts';

const LONG = { ...OPTIONS, leaseMs: 120_000 };
const SESSIONS = 2;

interface Stored {
  epoch: number;
  owner: Fence | null;
  lastReleased: string | null;
  instance: string;
  version: number;
  head: number;
  snapshot: string;
  dueAt: number | null;
  log: StoredFrame[];
  ids: Set<string>;
  inbox: string[];
}

interface PlainStep {
  readonly op: 'claim' | 'release' | 'renew' | 'push' | 'look';
  readonly session: number;
  readonly by: number;
}

interface WriteStep {
  readonly op: 'commit' | 'append';
  readonly session: number;
  readonly by: number;
  readonly frames: number;
  readonly taken: number;
  readonly messageId: string;
  readonly dueAt: number | null;
  readonly twist: 'none' | 'version' | 'head' | 'repeat' | 'old fence' | 'end';
}

const session = fc.nat({ max: SESSIONS - 1 });
const by = fc.nat({ max: 2 });
const plainStep: fc.Arbitrary<PlainStep> = fc.record({
  op: fc.constantFrom('claim', 'claim', 'release', 'renew', 'push', 'look'),
  session,
  by,
});
const writeStep: fc.Arbitrary<WriteStep> = fc.record({
  op: fc.constantFrom('commit', 'commit', 'append'),
  session,
  by,
  frames: fc.nat({ max: 9 }),
  taken: fc.nat({ max: 2 }),
  messageId: fc.nat({ max: 30 }).map((n) => `m${n}`),
  dueAt: fc.option(fc.nat({ max: 1_000_000 }), { nil: null }),
  twist: fc.constantFrom(
    'none',
    'none',
    'none',
    'none',
    'none',
    'version',
    'head',
    'repeat',
    'old fence',
    'end',
  ),
});
const history = fc.array(fc.oneof(plainStep, writeStep), { minLength: 5, maxLength: 60 });

type LastWrite = { readonly commit: Commit } | { readonly append: Append };

/** Replays one history on the stores and on the model, and compares every answer. */
class Replay {
  readonly #prefix = freshId('model');
  readonly #model = new Map<string, Stored>();
  readonly #formerFences = new Map<string, Fence>();
  readonly #lastWrites = new Map<string, LastWrite>();
  readonly #stores: readonly Store[];

  constructor(stores: readonly Store[]) {
    this.#stores = stores;
  }

  async run(steps: readonly (PlainStep | WriteStep)[]): Promise<void> {
    for (const step of steps) {
      const store = this.#stores[step.by]!;
      const id = `${this.#prefix}-${step.session}`;
      if ('twist' in step) await this.#write(store, id, step);
      else if (step.op === 'claim') await this.#claim(store, id, `i${step.by}`);
      else if (step.op === 'look') await this.#look(store, id);
      else if (step.op === 'push') await this.#push(store, id);
      else if (step.op === 'renew') await this.#renew(store, id);
      else await this.#release(store, id);
    }
  }

  async #claim(store: Store, id: string, instance: string): Promise<void> {
    const now = this.#model.get(id);
    const outcome = await store.claim(id, instance);
    if (now?.owner) {
      expect(outcome).toMatchObject({ kind: 'held', instance: now.instance });
      return;
    }
    if (outcome.kind !== 'claimed') throw new Error('the model says: claimed');
    expect(outcome.fence.epoch).toBeGreaterThan(now?.epoch ?? 0);
    const next: Stored = {
      ...(now ?? blank()),
      epoch: outcome.fence.epoch,
      owner: outcome.fence,
      lastReleased: null,
      instance,
    };
    this.#model.set(id, next);
    expect(outcome.fence).toMatchObject({ sessionId: id, instance });
    expect(outcome.record).toEqual(recordOf(next));
  }

  async #look(store: Store, id: string): Promise<void> {
    const now = this.#model.get(id);
    expect(await store.read(id)).toEqual(now ? recordOf(now) : null);
    expect(await store.readInbox(id)).toEqual(now?.inbox ?? []);
    const page = await store.readLog(id, 0, 1_000);
    if (now === undefined || now.version === 0) expect(page).toBeNull();
    else expect(page).toEqual({ frames: now.log, first: now.head - now.log.length + 1, head: now.head });
  }

  async #push(store: Store, id: string): Promise<void> {
    const now = this.#model.get(id);
    const entry = freshId('entry');
    const outcome = await store.push(id, entry);
    if (now === undefined || now.version === 0) expect(outcome).toEqual({ kind: 'absent' });
    else if (now.inbox.length >= LONG.inboxMax) expect(outcome).toEqual({ kind: 'full' });
    else {
      expect(outcome).toEqual({ kind: 'pushed', owner: now.owner ? now.instance : null });
      now.inbox.push(entry);
    }
  }

  #fence(id: string): Fence | undefined {
    return this.#model.get(id)?.owner ?? this.#formerFences.get(id);
  }

  async #renew(store: Store, id: string): Promise<void> {
    const fence = this.#fence(id);
    if (fence === undefined) return;
    const now = this.#model.get(id);
    const renewed = { kind: 'renewed', inboxLength: now?.inbox.length };
    expect(await store.renew(fence)).toEqual(now?.owner ? renewed : { kind: 'fenced' });
  }

  async #release(store: Store, id: string): Promise<void> {
    const fence = this.#fence(id);
    if (fence === undefined) return;
    const now = this.#model.get(id);
    const outcome = await store.release(fence, false);
    if (now === undefined || now.lastReleased === fence.token) expect(outcome).toEqual({ kind: 'released' });
    else if (now.owner?.token !== fence.token) expect(outcome).toEqual({ kind: 'fenced' });
    else if (now.inbox.length > 0) expect(outcome).toEqual({ kind: 'pending' });
    else {
      expect(outcome).toEqual({ kind: 'released' });
      this.#formerFences.set(id, fence);
      if (now.version === 0) this.#model.delete(id);
      else this.#model.set(id, { ...now, owner: null, lastReleased: fence.token });
    }
  }

  async #write(store: Store, id: string, step: WriteStep): Promise<void> {
    const now = this.#model.get(id);
    const fence = step.twist === 'old fence' ? this.#formerFences.get(id) : this.#fence(id);
    if (fence === undefined) return;
    const isOwner = now?.owner?.token === fence.token;
    const last = this.#lastWrites.get(id);
    if (step.twist === 'repeat' && last !== undefined && isOwner) {
      const outcome =
        'commit' in last ? await store.commit(fence, last.commit) : await store.append(fence, last.append);
      expect(outcome).toEqual({ kind: 'committed', inboxLength: now.inbox.length });
      return;
    }
    const expectedHead = (now?.head ?? 0) + (step.twist === 'head' ? 1 : 0);
    const common = {
      expectedHead,
      frames: frames(expectedHead, step.frames),
      inboxTaken: Math.min(step.taken, now?.inbox.length ?? 0),
    };
    if (step.op === 'append') await this.#append(store, fence, isOwner ? now : undefined, appendOf(common));
    else {
      const version = now?.version ?? 0;
      const write = commitOf({
        ...common,
        expectedVersion: version + (step.twist === 'version' ? 1 : 0),
        messageIds: [step.messageId],
        dueAt: step.dueAt,
        snapshot: `{"n":${version + 1}}`,
        end: step.twist === 'end',
      });
      await this.#commit(store, fence, isOwner, write);
    }
  }

  async #append(store: Store, fence: Fence, mine: Stored | undefined, write: Append): Promise<void> {
    const outcome = await store.append(fence, write);
    if (mine === undefined) expect(outcome).toEqual({ kind: 'fenced' });
    else if (mine.version === 0 || write.expectedHead !== mine.head) {
      expect(outcome).toEqual({ kind: 'conflict' });
    } else {
      apply(mine, write);
      this.#lastWrites.set(fence.sessionId, { append: write });
      expect(outcome).toEqual({ kind: 'committed', inboxLength: mine.inbox.length });
    }
  }

  async #commit(store: Store, fence: Fence, isOwner: boolean, write: Commit): Promise<void> {
    const { sessionId } = fence;
    const now = this.#model.get(sessionId);
    const messageId = write.messageIds[0]!;
    const outcome = await store.commit(fence, write);
    if (now === undefined) {
      expect(outcome).toEqual(write.end ? { kind: 'committed', inboxLength: 0 } : { kind: 'fenced' });
    } else if (!isOwner) {
      expect(outcome).toEqual({ kind: 'fenced' });
    } else if (write.expectedVersion !== now.version || write.expectedHead !== now.head) {
      expect(outcome).toEqual({ kind: 'conflict' });
    } else if (now.ids.has(messageId)) {
      expect(outcome).toEqual({ kind: 'duplicate', messageId });
    } else if (write.end) {
      expect(outcome).toEqual({ kind: 'committed', inboxLength: 0 });
      this.#formerFences.set(sessionId, fence);
      this.#lastWrites.delete(sessionId);
      this.#model.delete(sessionId);
    } else {
      apply(now, write);
      now.version += 1;
      now.snapshot = write.snapshot;
      now.dueAt = write.dueAt;
      now.ids.add(messageId);
      this.#lastWrites.set(sessionId, { commit: write });
      expect(outcome).toEqual({ kind: 'committed', inboxLength: now.inbox.length });
    }
  }
}

function blank() {
  return {
    version: 0,
    head: 0,
    snapshot: '',
    dueAt: null,
    log: [],
    ids: new Set<string>(),
    inbox: [],
  };
}

function apply(stored: Stored, write: Commit | Append): void {
  stored.log = [...stored.log, ...write.frames].slice(-LONG.frameLogMax);
  stored.head += write.frames.length;
  stored.inbox.splice(0, write.inboxTaken);
}

function recordOf(stored: Stored) {
  if (stored.version === 0) return null;
  const { version, epoch, head, snapshot, instance, dueAt, inbox } = stored;
  return { version, epoch, head, snapshot, instance, dueAt, inboxLength: inbox.length };
}

export function describeModel(factory: StoreFactory): void {
  describe('properties', () => {
    let fixture: StoreFixture;
    beforeAll(async () => {
      fixture = await factory(LONG);
    }, 60_000);
    afterAll(() => fixture?.stop());

    it('the store answers every random history of claims, writes, repetitions and refusals as the model does', async () => {
      const property = fc.asyncProperty(history, (steps) => new Replay(fixture.stores).run(steps));
      await fc.assert(property, { numRuns: 150 });
    });

    it('of commits that race for one version exactly one applies, and versions have no gap', async () => {
      const { stores } = fixture;
      const rounds = 20;
      const { sessionId, fence } = await created(stores[0], 'a');
      for (let version = 1; version <= rounds; version += 1) {
        const racing = Array.from({ length: 6 }, (_, n) =>
          stores[n % 3]!.commit(
            fence,
            commitOf({ expectedVersion: version, expectedHead: version - 1, frames: frames(version - 1, 1) }),
          ),
        );
        const kinds = (await Promise.all(racing)).map(({ kind }) => kind).sort();
        expect(kinds).toEqual(['committed', ...Array(5).fill('conflict')]);
      }
      expect(await stores[1].read(sessionId)).toMatchObject({ version: rounds + 1, head: rounds });
      expect((await stores[1].readLog(sessionId, 0, 100))?.frames).toEqual(frames(0, rounds));
    });

    it('instances that compete for a session commit versions 1 to n, each once, in the order of their epochs', async () => {
      const { stores } = fixture;
      const sessionId = await ownerless(stores[0]);
      const applied: { version: number; epoch: number }[] = [];
      const fighter = async (store: Store, instance: string) => {
        for (let done = 0; done < 8; ) {
          const outcome = await store.claim(sessionId, instance);
          if (outcome.kind === 'held') continue;
          const { fence, record } = outcome;
          const version = record?.version ?? 0;
          const head = record?.head ?? 0;
          const commit = commitOf({ expectedVersion: version, expectedHead: head, frames: frames(head, 1) });
          expect(await store.commit(fence, commit)).toMatchObject({ kind: 'committed' });
          applied.push({ version: version + 1, epoch: fence.epoch });
          expect(await store.release(fence, false)).toEqual({ kind: 'released' });
          done += 1;
        }
      };
      await Promise.all(stores.map((store, n) => fighter(store, `i${n}`)));
      applied.sort((left, right) => left.version - right.version);
      expect(applied.map(({ version }) => version)).toEqual(Array.from({ length: 24 }, (_, n) => n + 2));
      const epochs = applied.map(({ epoch }) => epoch);
      expect(epochs).toEqual([...new Set(epochs)].sort((left, right) => left - right));
      expect((await claimed(stores[0], sessionId, 'last')).record).toMatchObject({ version: 25, head: 24 });
    });
  });
}
