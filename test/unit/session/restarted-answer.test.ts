/** An answer starts over, from the stored transition to the text of clients and of the next owner. */

import { describe, expect, it } from 'vitest';
import { assemble, emptyConversation } from '../../../src/client/assembler.ts';
import type { GenerationResult } from '../../../src/generation/port.ts';
import type { DurableFrame } from '../../../src/protocol/server-frames.ts';
import { beginAskedSession, type MortalSession } from '../../support/actor/mortal-session.ts';
import { INPUT, OUTPUT } from '../../support/machine/stepped-session.ts';

const RESTART: GenerationResult = { kind: 'restart', replica: 'r1' };
const CUT: GenerationResult = {
  kind: 'failed',
  code: 'upstream_truncated',
  message: 'cut',
  retryable: true,
  replica: 'r1',
};
const COMPLETED: GenerationResult = { kind: 'completed', ...OUTPUT, finishReason: 'stop' };
const RETRIES_MS = 10_000;

const asked = (): Promise<MortalSession> => beginAskedSession(INPUT, 'u1');

/** Adds text to the running generation and lets the owner store it. */
async function say(session: MortalSession, text: string, reasoning = ''): Promise<void> {
  session.generator.running?.say({ text, reasoning });
  await session.settle();
  await session.clock.advanceTo(session.clock.now() + 1_000, session.settle);
}

async function end(session: MortalSession, result: GenerationResult): Promise<void> {
  session.generator.running?.end(result);
  await session.settle();
}

/** Breaks an answer off after some text, and lets it be retried. */
async function brokenOff(text: string, reasoning = ''): Promise<MortalSession> {
  const session = await asked();
  await say(session, text, reasoning);
  await end(session, CUT);
  await session.clock.advanceTo(session.clock.now() + RETRIES_MS, session.settle);
  return session;
}

async function framesOf({ store, id }: MortalSession): Promise<readonly DurableFrame[]> {
  const log = await store.readLog(id, 0, 1_000);
  return log?.frames.map(({ data }) => JSON.parse(data) as DurableFrame) ?? [];
}

/** The answer of a client that received every frame. */
async function shown(session: MortalSession): Promise<{ readonly text: string; readonly reasoning: string }> {
  let conversation = emptyConversation();
  for (const frame of await framesOf(session)) {
    const assembled = assemble(conversation, frame);
    if (assembled.kind !== 'advanced') throw new Error(assembled.kind);
    conversation = assembled.conversation;
  }
  const turn = conversation.turns.find(({ turnId }) => turnId === 't1');
  return { text: turn?.text ?? '', reasoning: turn?.reasoning ?? '' };
}

async function written(session: MortalSession): Promise<string | undefined> {
  const said = await session.store.readTranscript(session.id);
  return said.find(({ role }) => role === 'assistant')?.content;
}

describe('answer that cannot be continued', () => {
  it('an answer that cannot be continued starts over in its turn, and clients learn it before any new text', async () => {
    const session = await brokenOff('Take an EC');
    await end(session, RESTART);
    expect((await framesOf(session)).at(-1)).toMatchObject({
      type: 'turn.started',
      turn_id: 't1',
      message_id: 'm1',
      content: 'chest pain',
      author: 'u1',
      queued: 0,
      restarts: 1,
    });
    expect(session.generator.running?.request).toMatchObject({ turnId: 't1', attempt: 2, prefix: null });
  });

  it('an answer that started over is only the new text, for clients and in the transcript', async () => {
    const session = await brokenOff('Take an EC');
    await end(session, RESTART);
    await say(session, 'Take an ECG now.');
    await end(session, COMPLETED);
    expect((await shown(session)).text).toBe('Take an ECG now.');
    expect(await written(session)).toBe('Take an ECG now.');
  });

  it('an answer that started over keeps no reasoning of the first try', async () => {
    const session = await brokenOff('', 'first thoughts');
    expect(session.generator.running?.request.prefix).toMatchObject({ text: '' });
    await end(session, RESTART);
    await say(session, 'Rest.', 'second thoughts');
    await end(session, COMPLETED);
    expect(await shown(session)).toEqual({ text: 'Rest.', reasoning: 'second thoughts' });
  });

  it('an answer that started over continues from the new text alone when the instance dies after some of it', async () => {
    const session = await brokenOff('Take an EC');
    await end(session, RESTART);
    await say(session, 'Rest and ');
    session.die();
    await session.takeOver();
    expect(session.generator.running?.request.prefix?.text).toBe('Rest and ');
    await say(session, 'drink.');
    await end(session, COMPLETED);
    expect((await shown(session)).text).toBe('Rest and drink.');
    expect(await written(session)).toBe('Rest and drink.');
  });

  it('an answer that started over begins empty when the instance dies before any new text', async () => {
    const session = await brokenOff('Take an EC');
    await end(session, RESTART);
    session.die();
    await session.takeOver();
    expect(session.generator.running?.request.prefix).toBeNull();
    await say(session, 'Rest.');
    await end(session, COMPLETED);
    expect((await shown(session)).text).toBe('Rest.');
  });

  it.each(['unwritten', 'unacknowledged'] as const)(
    'an answer starts over once for clients when the instance dies with the restart %s',
    async (death) => {
      const session = await brokenOff('Take an EC');
      const died = session.dieAtNextCommit(death);
      await end(session, RESTART);
      expect(died()).toBe(true);
      await session.takeOver();
      if (death === 'unwritten') await end(session, RESTART);
      await say(session, 'Rest.');
      await end(session, COMPLETED);
      const restarts = (await framesOf(session)).filter((frame) => 'restarts' in frame);
      expect(restarts).toHaveLength(1);
      expect(await written(session)).toBe('Rest.');
    },
  );

  it('an answer may start over twice, and its turn.started frames count the restarts', async () => {
    const session = await brokenOff('Take an EC');
    await end(session, RESTART);
    await say(session, 'Rest and ');
    session.die();
    await session.takeOver();
    await end(session, RESTART);
    expect((await framesOf(session)).at(-1)).toMatchObject({ type: 'turn.started', restarts: 2 });
    expect(session.generator.running?.request.prefix).toBeNull();
  });

  it('an answer whose generator asks for a needless restart fails instead of repeating for ever', async () => {
    const session = await asked();
    await end(session, RESTART);
    expect((await framesOf(session)).find(({ type }) => type === 'turn.failed')).toMatchObject({
      error: { code: 'internal' },
    });
    expect(session.generator.running).toBeNull();
  });
});
