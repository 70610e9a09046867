import { describe, expect, it } from 'vitest';
import { type ClientConversation, emptyConversation, type TurnView } from '../../../src/client/assembler.ts';
import { PendingMessage } from '../../../src/client/pending-message.ts';
import type { ClientEvent, Session } from '../../../src/client/session.ts';

function session(conversation: Partial<ClientConversation>, unacknowledged: readonly string[] = []): Session {
  return { conversation: { ...emptyConversation(), ...conversation }, unacknowledged } as Session;
}

const turn = (outcome: TurnView['outcome']): TurnView => ({
  turnId: 't',
  messageId: 'm',
  question: null,
  text: '',
  reasoning: '',
  simulated: false,
  outcome,
});

const error = (code: string): ClientEvent => ({
  type: 'error',
  error: { type: 'error', code, message: '', retryable: true, message_id: 'm' },
});

describe('waiting for the end of a message', () => {
  it('ends with its turn, however that ended', () => {
    const awaited = new PendingMessage('m');
    expect(awaited.isDone(session({ turns: [] }, ['m']))).toBe(false);
    expect(awaited.isDone(session({ turns: [turn({ kind: 'running' })] }))).toBe(false);
    expect(awaited.isDone(session({ turns: [turn({ kind: 'completed', finishReason: 'stop' })] }))).toBe(
      true,
    );
    expect(awaited.isDone(session({ turns: [turn({ kind: 'cancelled', reason: 'client' })] }))).toBe(true);
  });

  it('goes on while the message waits in the queue', () => {
    expect(new PendingMessage('m').isDone(session({ state: 'processing' }))).toBe(false);
  });

  it('ends with a refusal, but not with an error that leaves the message in doubt or taken', () => {
    const awaited = new PendingMessage('m');
    for (const code of ['store_unavailable', 'duplicate_message']) awaited.hear(error(code));
    expect(awaited.isDone(session({}, ['m']))).toBe(false);
    awaited.hear(error('queue_full'));
    expect(awaited.isDone(session({}))).toBe(true);
  });

  it('ends after a reset that took its frames away, once nothing is under way', () => {
    const awaited = new PendingMessage('m');
    awaited.hear({ type: 'reset', reason: 'trimmed' });
    expect(awaited.isDone(session({ state: 'processing' }))).toBe(false);
    expect(awaited.isDone(session({ state: 'connected' }))).toBe(true);
  });
});
