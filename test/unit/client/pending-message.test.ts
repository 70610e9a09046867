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

describe('a pending message', () => {
  it('a message is done when its turn has ended in any way', () => {
    const pending = new PendingMessage('m');
    expect(pending.isDone(session({ turns: [] }, ['m']))).toBe(false);
    expect(pending.isDone(session({ turns: [turn({ kind: 'running' })] }))).toBe(false);
    expect(pending.isDone(session({ turns: [turn({ kind: 'completed', finishReason: 'stop' })] }))).toBe(
      true,
    );
    expect(pending.isDone(session({ turns: [turn({ kind: 'cancelled', reason: 'client' })] }))).toBe(true);
  });

  it('a message is not done while it waits in the queue', () => {
    expect(new PendingMessage('m').isDone(session({ state: 'processing' }))).toBe(false);
  });

  it('a refusal ends a message; an error that leaves it in doubt or taken does not', () => {
    const pending = new PendingMessage('m');
    for (const code of ['store_unavailable', 'duplicate_message']) pending.onEvent(error(code));
    expect(pending.isDone(session({}, ['m']))).toBe(false);
    pending.onEvent(error('queue_full'));
    expect(pending.isDone(session({}))).toBe(true);
  });

  it('after a reset that removed its frames, a message is done once no turn is running', () => {
    const pending = new PendingMessage('m');
    pending.onEvent({ type: 'reset', reason: 'trimmed' });
    expect(pending.isDone(session({ state: 'processing' }))).toBe(false);
    expect(pending.isDone(session({ state: 'connected' }))).toBe(true);
  });
});
