/**
 * An event for a session, wherever it lives. What another instance is told takes effect there a little later: this
 * waits until it can be seen in the store.
 */
import type { SessionEvent } from '../../../machines/vocabulary.ts';
import type { Clock } from '../../clock.ts';
import type { ErrorCode } from '../../errors.ts';
import type { SessionRouter } from '../../session/router/session-router.ts';
import type { SessionView } from '../../session/router/session-view.ts';

export interface SendAndWaitPorts {
  readonly sessions: SessionRouter;
  readonly clock: Clock;
}

export type SendAndWaitResult =
  | { readonly kind: 'done' }
  /** Whoever serves the session was told, and has not done it yet. */
  | { readonly kind: 'told' }
  | { readonly kind: 'refused'; readonly code: ErrorCode };

const WITHIN_MS = 2_000;
const LOOK_EVERY_MS = 25;

/** `isDone` is asked with null where the session is gone. */
export async function sendAndWait(
  { sessions, clock }: SendAndWaitPorts,
  sessionId: string,
  event: SessionEvent,
  isDone: (view: SessionView | null) => boolean,
): Promise<SendAndWaitResult> {
  const outcome = await sessions.send(sessionId, event, null);
  if (outcome.kind === 'refused') return outcome;
  if (outcome.kind !== 'passed') return { kind: 'done' };
  const startedMs = clock.monotonicMs();
  for (;;) {
    const view = await sessions.view(sessionId).catch(() => undefined);
    if (view !== undefined && isDone(view)) return { kind: 'done' };
    if (clock.monotonicMs() - startedMs >= WITHIN_MS) return { kind: 'told' };
    await new Promise<void>((resume) => clock.after(LOOK_EVERY_MS, resume));
  }
}
