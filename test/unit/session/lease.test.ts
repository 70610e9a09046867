/** An owner that was frozen does not notice it. The model costs money, so the owner first asks the store. */
import { afterEach, describe, expect, it } from 'vitest';
import type { ClaimOutcome, Commit, CommitOutcome, Fence, Store } from '../../../src/store/contract.ts';
import { LEASE_MS, openStage, type Stage } from '../../support/actor/stage.ts';

describe('frozen owner', () => {
  let stage: Stage;
  let sessionId = '';
  let takeOver: () => Promise<ClaimOutcome>;
  let answerCommit: (() => void) | null = null;

  afterEach(async () => {
    await stage.close();
  });

  /** Stores a message, and delays the acknowledgement to the owner by `forMs`. */
  async function askAndFreeze(forMs: number): Promise<void> {
    let slow = false;
    const wrap = (store: Store): Store => {
      takeOver = () => store.claim(sessionId, 'another');
      return { ...store, commit: (fence, write) => commit(store, fence, write) };
    };
    const commit = async (store: Store, fence: Fence, write: Commit): Promise<CommitOutcome> => {
      const outcome = await store.commit(fence, write);
      if (slow)
        await new Promise<void>((resume) => {
          answerCommit = resume;
        });
      return outcome;
    };
    stage = await openStage({ wrap });
    const visitor = stage.connect();
    visitor.say({ type: 'hello', after: 0 });
    await stage.settle();
    sessionId =
      visitor.frames.flatMap((frame) => (frame.type === 'welcome' ? [frame.session_id] : []))[0] ?? '';
    slow = true;
    visitor.say({ type: 'message', id: 'm', content: 'Good morning' });
    await stage.settle();
    slow = false;
    await stage.clock.advanceTo(stage.clock.now() + forMs, async () => {});
  }

  async function goOn(): Promise<void> {
    answerCommit?.();
    await stage.settle();
  }

  it('a frozen owner does not ask the model when another instance has claimed the session', async () => {
    await askAndFreeze(LEASE_MS);
    expect(await takeOver()).toMatchObject({ kind: 'claimed' });
    await goOn();
    expect(stage.generator.runs).toEqual([]);
  });

  it('a frozen owner asks the model once the store has confirmed its lease', async () => {
    await askAndFreeze(LEASE_MS);
    const before = stage.calls.length;
    await goOn();
    expect(stage.calls.slice(before)).toContain('renew');
    expect(stage.generator.runs).toHaveLength(1);
  });

  it('an owner with a sure lease asks the model without asking the store', async () => {
    await askAndFreeze(LEASE_MS / 10);
    const before = stage.calls.length;
    await goOn();
    expect(stage.calls.slice(before)).not.toContain('renew');
    expect(stage.generator.runs).toHaveLength(1);
  });
});
