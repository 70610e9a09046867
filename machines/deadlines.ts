/**
 * Deadlines of a session: warnings, expiry, and the retry of a failed turn.
 *
 * Every input of a client moves the idle deadline (`touch`); the absolute deadline never moves. Both follow from the
 * context, so a session that slept past a deadline ends when it wakes.
 */
import { type ActionArgs, assignContext, atOf, emitEffect, emitFrame } from './action.ts';
import type { SessionEnds } from './effects.ts';
import { errorIn } from './turn.ts';
import type { SessionContext } from './vocabulary.ts';

const idleEndsAt = (context: SessionContext): number => context.lastActivityAt + context.limits.idleMs;
const absoluteEndsAt = (context: SessionContext): number => context.createdAt + context.limits.absoluteMs;

export function endsOf(context: SessionContext): SessionEnds {
  const absoluteExpiresAt = absoluteEndsAt(context);
  return { expiresAt: Math.min(idleEndsAt(context), absoluteExpiresAt), absoluteExpiresAt };
}

/** At most half of the limit: a longer warning would come as soon as the limit starts to count. */
const warnMs = ({ limits }: SessionContext, limitMs: number): number => Math.min(limits.warnMs, limitMs / 2);
const until = (dueAt: number, event: { readonly type: string }): number => Math.max(0, dueAt - atOf(event));

const RETRY_BASE_MS = 100;
const RETRY_MAX_MS = 5_000;

export const deadlines = {
  /** The warning before the end of an idle session. */
  idleWarning: ({ context, event }: ActionArgs) =>
    until(idleEndsAt(context) - warnMs(context, context.limits.idleMs), event),
  /** The end of a session without input. */
  idleEnd: ({ context, event }: ActionArgs) => until(idleEndsAt(context), event),
  /** The warning before the end of every session. */
  absoluteWarning: ({ context, event }: ActionArgs) =>
    until(absoluteEndsAt(context) - warnMs(context, context.limits.absoluteMs), event),
  /** The end of every session, active or not. */
  absoluteEnd: ({ context, event }: ActionArgs) => until(absoluteEndsAt(context), event),
  /** The wait before the next attempt. It grows with each one, and is at least the wait that a model server asked for. */
  retryDelay: ({ context, event }: ActionArgs) =>
    Math.max(
      Math.min(RETRY_BASE_MS * 2 ** Math.max(0, (context.turn?.attempt ?? 2) - 2), RETRY_MAX_MS),
      errorIn(event).retryAfterMs ?? 0,
    ),
};

export const deadlineGuards = {
  /** The clients have the warning of this idle time. */
  alreadyWarned: ({ context }: ActionArgs) => context.warned,
};

export const deadlineActions = {
  /** Moves the idle deadline: a client was active. */
  touch: assignContext(({ event }) => ({ lastActivityAt: atOf(event), warned: false })),
  /** Answers the client that extends with the new deadlines. */
  emitExtended: emitEffect(({ context }) => ({ type: 'extended', ...endsOf(context) })),
  /** Notes that the clients have the warning. */
  markWarned: assignContext(() => ({ warned: true })),
  /** Warns the clients that the idle session will end. */
  warnIdle: emitFrame(({ context }) => ({
    type: 'expiring',
    expires_at: idleEndsAt(context),
    reason: 'idle',
  })),
  /** Warns the clients that the session reaches its longest life. */
  warnAbsolute: emitFrame(({ context }) => ({
    type: 'expiring',
    expires_at: absoluteEndsAt(context),
    reason: 'absolute',
  })),
};
