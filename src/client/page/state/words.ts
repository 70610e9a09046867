/** The words that the page shows for a state of the connection or of a turn. */
import type { TurnOutcome } from '../../package/client.ts';
import type { Link } from './page-state.ts';

export function linkWords(link: Link, now: number): string {
  switch (link.kind) {
    case 'connecting':
      return 'Connecting …';
    case 'connected':
      return `Connected to ${link.instance}`;
    case 'lost': {
      const seconds = Math.max(0, Math.ceil((link.retryAt - now) / 1_000));
      return `Connection lost. Reconnecting in ${seconds} s (attempt ${link.attempt})`;
    }
    case 'over':
      return overWords(link);
  }
}

function overWords({ why, code, reason }: Extract<Link, { kind: 'over' }>): string {
  if (why === 'ended') return 'This conversation has ended.';
  if (why === 'replaced') return 'This conversation continues in another window.';
  if (code === 4003 || reason === 'forbidden') return 'You have no access to this conversation.';
  if (needsToken(code)) return 'Your sign-in has ended.';
  if (reason === 'session_not_found') return 'There is no such conversation, or you have no access to it.';
  return `Not connected: ${reason === '' ? code : reason}`;
}

/** The credential is missing, not valid or has ended. */
export function needsToken(code: number): boolean {
  return code === 4001 || code === 4002;
}

/** Null: the answer needs no remark. */
export function outcomeWords(outcome: TurnOutcome): string | null {
  switch (outcome.kind) {
    case 'running':
    case 'past':
      return null;
    case 'completed':
      return outcome.finishReason === 'length' ? 'The answer reached its longest length.' : null;
    case 'failed':
      return `The answer failed (${outcome.code}).`;
    case 'cancelled':
      return outcome.reason === 'client' ? 'Stopped' : 'Interrupted by the next message';
  }
}

export const SIMULATED = 'Simulated';

/** The first words of a conversation, for the list. */
export function titleOf(question: string): string {
  const line = question.replace(/\s+/g, ' ').trim();
  return line.length <= 60 ? line : `${line.slice(0, 59).trimEnd()}…`;
}
