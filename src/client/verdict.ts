/** What the end of a connection means for the session. */

export type Verdict = 'ended' | 'replaced' | 'fatal' | 'reconnect';

/** The session's end: this client asked for it, or has seen the last frame of the log. */
export type Ending = 'none' | 'asked' | 'seen';

export interface Goodbye {
  readonly code: number;
  readonly reason: string;
  readonly ending: Ending;
}

export function verdictOn({ code, reason, ending }: Goodbye): Verdict {
  if (ending === 'seen') return 'ended';
  switch (code) {
    case 1000:
      // Proxies close idle connections with 1000 as well; that ends no session.
      return ending === 'asked' || reason === 'closed' ? 'ended' : 'reconnect';
    case 4011:
      return 'ended';
    case 4009:
      return 'replaced';
    case 1008:
    case 1009:
    case 4001:
    case 4003:
      return 'fatal';
    default:
      return 'reconnect';
  }
}
