/** Decides what a client does when its connection ends. */

/** `refused`: the server answered the upgrade with a lasting status, such as 404 for a wrong path. */
export type CloseAction = 'ended' | 'replaced' | 'fatal' | 'refused' | 'reconnect';

export const SESSION_PATH = '/v1/session';

/** `requested`: this client sent `close`. `expired`: it received the last frame of the log. */
export type SessionEnd = 'none' | 'requested' | 'expired';

export interface CloseReport {
  readonly code: number;
  readonly reason: string;
  readonly sessionEnd: SessionEnd;
  /** HTTP status of a refused upgrade. */
  readonly refusedWith: number | null;
  /** The session's address was right before: a proxy in between may answer 404 for a while. */
  readonly wasWelcomed: boolean;
  /** The client has one token, and would show it again. */
  readonly isTokenFixed: boolean;
}

/** Request timeout, too early, too many requests: the server accepts the same request later. */
const PASSING_STATUS: ReadonlySet<number> = new Set([408, 425, 429]);

export function closeActionOf(report: CloseReport): CloseAction {
  const { code, reason, sessionEnd, refusedWith, wasWelcomed, isTokenFixed } = report;
  if (sessionEnd === 'expired') return 'ended';
  const isLasting = refusedWith !== null && refusedWith < 500 && !PASSING_STATUS.has(refusedWith);
  if (isLasting && !wasWelcomed) return 'refused';
  switch (code) {
    case 1000:
      // Proxies close idle connections with 1000 as well, and those sessions continue.
      return sessionEnd === 'requested' || reason === 'closed' ? 'ended' : 'reconnect';
    case 4011:
      return 'ended';
    case 4009:
      return 'replaced';
    case 1008:
    case 1009:
    case 4001:
    case 4003:
      return 'fatal';
    case 4002:
      return isTokenFixed ? 'fatal' : 'reconnect';
    default:
      return 'reconnect';
  }
}

/** The reason for which the server refused an upgrade, and what to change. */
export function refusalOf(url: string, status: number): string {
  const isPathWrong = status === 404 && new URL(url).pathname !== SESSION_PATH;
  return `${url} answered ${status}: ${isPathWrong ? `the path is wrong, sessions are at ${SESSION_PATH}` : 'no session is there'}`;
}
