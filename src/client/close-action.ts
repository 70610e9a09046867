/** What the end of a connection means for the session. */

/** `refused`: the server answers the upgrade with a status that no waiting mends, such as 404 for a wrong path. */
export type CloseAction = 'ended' | 'replaced' | 'fatal' | 'refused' | 'reconnect';

export const SESSION_PATH = '/v1/session';

/** The session's end: this client asked for it, or has seen the last frame of the log. */
export type SessionEnd = 'none' | 'asked' | 'seen';

export interface CloseReport {
  readonly code: number;
  readonly reason: string;
  readonly ending: SessionEnd;
  /** HTTP status of an upgrade that the server refused. */
  readonly refusedWith: number | null;
  /** The session was welcomed before: its address is right, and a proxy in between may answer 404 for a while. */
  readonly wasWelcomed: boolean;
}

/** Request timeout, too early, too many requests: the same request is answered later. */
const PASSING_STATUS: ReadonlySet<number> = new Set([408, 425, 429]);

export function closeActionOf({ code, reason, ending, refusedWith, wasWelcomed }: CloseReport): CloseAction {
  if (ending === 'seen') return 'ended';
  if (refusedWith !== null && !wasWelcomed && isLasting(refusedWith)) return 'refused';
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

function isLasting(status: number): boolean {
  return status < 500 && !PASSING_STATUS.has(status);
}

/** Why an upgrade was refused, in words that say what to change. */
export function refusalOf(url: string, status: number): string {
  const answered = `${url} answered ${status}`;
  if (status !== 404) return `${answered}, and opens no session`;
  return new URL(url).pathname === SESSION_PATH
    ? `${answered}: no session service is there`
    : `${answered}: the path is wrong, sessions are at ${SESSION_PATH}`;
}
