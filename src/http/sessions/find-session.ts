/** Finds the session that a path names, and sends events to a session on whichever instance serves it. */
import { accessOf } from '../../../machines/access.ts';
import { tenantField } from '../../../machines/tenant.ts';
import type { SessionContext, SessionEvent } from '../../../machines/vocabulary.ts';
import type { Clock } from '../../clock.ts';
import type { SessionServices } from '../../delivery/attach-client.ts';
import type { ErrorCode } from '../../errors.ts';
import type { Participant } from '../../identity/acting-user.ts';
import type { Caller } from '../../identity/caller.ts';
import type { SessionView } from '../../session/router/session-view.ts';
import { Refusal } from '../core/answer.ts';
import { type HttpRequest, participantIn, sessionIdIn } from '../core/request.ts';

/** To the caller a session that it may not reach is absent. */
export async function findSession(
  { sessions, clock }: SessionServices,
  request: HttpRequest,
): Promise<SessionView> {
  const view = await sessions.view(sessionIdIn(request)).catch(() => undefined);
  if (view === undefined) throw new Refusal('store_unavailable');
  if (view === null || !mayReach(request, view.context, clock.now())) throw new Refusal('session_not_found');
  return view;
}

function mayReach(request: HttpRequest, context: SessionContext, now: number): boolean {
  const participant = participantIn(request);
  if (request.reach === 'own') return accessOf(context, participant, now) !== 'none';
  return participant.tenant === (context.tenant ?? '');
}

/** The author of an event. On loopback without credentials a client that names no user may do everything. */
export function authorOf(
  caller: Caller,
  { userId, tenant }: Participant,
): { readonly author?: string | null; readonly tenant?: string } {
  return caller.kind === 'open' && userId === null ? {} : { author: userId, ...tenantField(tenant) };
}

const DONE_WITHIN_MS = 2_000;
const POLL_MS = 25;

/** False if another instance handles the event and is not done in time. `isDone` gets null once the session is gone. */
export async function sendAndWait(
  { sessions, clock }: SessionServices,
  sessionId: string,
  event: SessionEvent,
  isDone: (view: SessionView | null) => boolean,
  details: { readonly [code in ErrorCode]?: string } = {},
): Promise<boolean> {
  const outcome = await sessions.send(sessionId, event, null);
  if (outcome.kind === 'refused') throw new Refusal(outcome.code, details[outcome.code]);
  if (outcome.kind !== 'passed') return true;
  return becomesTrue(clock, DONE_WITHIN_MS, async () => {
    const view = await sessions.view(sessionId).catch(() => undefined);
    return view !== undefined && isDone(view);
  });
}

export async function becomesTrue(
  clock: Clock,
  withinMs: number,
  condition: () => Promise<boolean>,
): Promise<boolean> {
  const startedMs = clock.monotonicMs();
  while (!(await condition())) {
    if (clock.monotonicMs() - startedMs >= withinMs) return false;
    await new Promise<void>((resume) => clock.after(POLL_MS, resume));
  }
  return true;
}
