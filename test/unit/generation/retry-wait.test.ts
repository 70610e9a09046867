/** The owner of a session keeps the wait that a model server asked for. */

import { describe, expect, it } from 'vitest';
import { beginAskedSession, type MortalSession } from '../../support/actor/mortal-session.ts';
import { INPUT } from '../../support/machine/stepped-session.ts';

const WAIT_MS = 30_000;

/** A turn whose overloaded model server asked for a wait. */
async function waiting(): Promise<MortalSession> {
  const session = await beginAskedSession(INPUT);
  session.generator.running?.end({
    kind: 'failed',
    code: 'upstream_unavailable',
    message: 'busy',
    retryable: true,
    replica: 'r1',
    retryAfterMs: WAIT_MS,
  });
  await session.settle();
  return session;
}

const pass = async ({ clock, settle }: MortalSession, ms: number): Promise<void> => {
  await clock.advanceTo(clock.now() + ms, settle);
  await settle();
};

describe('a wait that a model server asked for', () => {
  it('a wait at the request of a model server ends on time and not before', async () => {
    const session = await waiting();
    await pass(session, WAIT_MS - 1);
    expect(session.generator.runs).toHaveLength(1);
    await pass(session, 1);
    expect(session.generator.running?.request).toMatchObject({ attempt: 2, avoidReplica: 'r1' });
  });

  it('the next owner of a session waits for the rest of a wait that a model server asked for', async () => {
    const session = await waiting();
    await pass(session, WAIT_MS / 2);
    session.die();
    await session.takeOver();
    await pass(session, WAIT_MS / 2 - 1);
    expect(session.generator.runs).toHaveLength(1);
    await pass(session, 1);
    expect(session.generator.running?.request.attempt).toBe(2);
  });

  it('a client that cancels its turn ends the wait for the model server', async () => {
    const session = await waiting();
    await session.send({ type: 'cancel', at: session.clock.now() });
    await pass(session, 2 * WAIT_MS);
    expect(session.generator.runs).toHaveLength(1);
  });
});
