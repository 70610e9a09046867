/** A summary that the model still writes when a client takes turns back must not bring their words into later prompts. */
import { describe, expect, it } from 'vitest';
import type { GenerationResult } from '../../../src/generation/port.ts';
import { beginAskedSession, type MortalSession } from '../../support/actor/mortal-session.ts';
import { INPUT, OUTPUT } from '../../support/machine/stepped-session.ts';

const COMPLETED: GenerationResult = { kind: 'completed', ...OUTPUT, finishReason: 'stop' };

async function answered(): Promise<MortalSession> {
  const session = await beginAskedSession(INPUT, 'u1');
  session.generator.running?.say({ text: 'Take an ECG.', reasoning: '' });
  session.generator.running?.end(COMPLETED);
  await session.settle();
  return session;
}

const again = (session: MortalSession) =>
  session.post({
    type: 'regenerate',
    at: session.clock.now(),
    author: 'u1',
    messageId: 'again',
    turnId: 't2',
    content: 'back pain',
    options: {},
  });

const summarised = (session: MortalSession) =>
  session.post({ type: 'summarised', at: session.clock.now(), through: 't1', content: 'Had chest pain.' });

const contentsOf = async ({ store, id }: MortalSession) =>
  (await store.readTranscript(id)).map(({ role, content }) => `${role}: ${content}`);

describe('a summary and turns that are taken back', () => {
  it('a summary that comes after its turns were taken back is dropped, also by the next owner', async () => {
    const session = await answered();
    await Promise.all([again(session), summarised(session), session.settle()]);
    expect(await contentsOf(session)).toEqual(['user: back pain']);
    session.die();
    await session.takeOver();
    await Promise.all([summarised(session), session.settle()]);
    expect(await contentsOf(session)).toEqual(['user: back pain']);
  });

  it('a summary that comes before its turns are taken back leaves with them', async () => {
    const session = await answered();
    await Promise.all([summarised(session), session.settle()]);
    expect(await contentsOf(session)).toContain('summary: Had chest pain.');
    await Promise.all([again(session), session.settle()]);
    expect(await contentsOf(session)).toEqual(['user: back pain']);
  });
});
