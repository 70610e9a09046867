/** Lost replies of a store over a network: the write may have succeeded, and its sender cannot know. */
import { expect, it } from 'vitest';
import type { Store } from '../../src/store/contract.ts';
import { commitOf, created, frames } from './store-fixture.ts';

/** Two handles on one backing store: one whose connection can lose replies, one that sees the stored state. */
export interface ShakyLine {
  readonly store: Store;
  readonly witness: Store;
  loseReplies(): void;
  cut(): void;
}

export function describeLostReplies(line: () => ShakyLine): void {
  it('a commit whose reply was lost applies once, and its resend gets the same outcome', async () => {
    const { store, witness, loseReplies, cut } = line();
    const { sessionId, fence } = await created(store, 'a');
    const commit = commitOf({ expectedVersion: 1, frames: frames(0, 2), messageIds: ['m1'] });
    loseReplies();
    const lost = store.commit(fence, commit);
    const rejected = expect(lost).rejects.toMatchObject({ code: expect.stringMatching(/^STORE_/) });
    await expect.poll(async () => (await witness.read(sessionId))?.version).toBe(2);
    cut();
    await rejected;
    await expect
      .poll(() => store.commit(fence, commit).catch(() => null))
      .toEqual({ kind: 'committed', inboxLength: 0 });
    expect(await witness.read(sessionId)).toMatchObject({ version: 2, head: 2 });
  });
}
