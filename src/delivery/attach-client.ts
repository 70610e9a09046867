/**
 * From hello to live: attach to the session, say where it stands, replay what the client missed.
 *
 * The order is what makes it exact: take a place in the hub (watching the store), then attach, then welcome with the
 * log's head, then the log from the client's offset, then live frames. Whatever is stored after the place was taken is
 * offered or hinted; whatever was stored before is in the log.
 */
import { randomUUID } from 'node:crypto';
import { absoluteEndsAt, idleEndsAt } from '../../machines/session.ts';
import type { Clock } from '../clock.ts';
import { patientFromChat } from '../conversation/patient/patient.ts';
import type { ErrorCode } from '../errors.ts';
import type { HelloFrame } from '../protocol/client-frames.ts';
import { type TransientFrame, transcriptLines } from '../protocol/server-frames.ts';
import { readSnapshot } from '../session/machine/snapshot.ts';
import { topState } from '../session/machine/step.ts';
import type { SessionRouter } from '../session/router/session-router.ts';
import type { SessionView } from '../session/router/session-view.ts';
import type { Store } from '../store/contract.ts';
import type { ClientConnection } from './client-connection.ts';
import type { Hub } from './hub.ts';
import type { ResetPlace, ResetReason, Subscription } from './subscription.ts';

export type ClientAttachment =
  | { readonly kind: 'greeted'; readonly sessionId: string; readonly subscription: Subscription }
  | { readonly kind: 'refused'; readonly code: ErrorCode };

export interface SessionServices {
  readonly instance: string;
  readonly sessions: SessionRouter;
  readonly hub: Hub;
  readonly store: Store;
  readonly clock: Clock;
  /** The built-in simulator answers on this instance. */
  readonly isSimulated?: boolean;
}

/** `admitted` is called when the session lets the client in, and before anything of it is said. */
export async function attachClient(
  ports: SessionServices,
  hello: HelloFrame,
  outlet: ClientConnection,
  admitted: (sessionId: string, created: boolean) => void,
): Promise<ClientAttachment> {
  const { sessions, hub } = ports;
  const sessionId = hello.session_id?.toLowerCase() ?? randomUUID();
  const clientId = outlet.isForOneTurn === true ? null : (hello.client_id ?? null);
  let subscription: Subscription;
  try {
    subscription = await hub.add(sessionId, outlet, {
      clientId,
      userId: hello.user_id ?? null,
    });
  } catch {
    return { kind: 'refused', code: 'store_unavailable' };
  }
  const attached = await sessions.attach(sessionId, {
    ...(hello.client_id === undefined ? {} : { clientId: hello.client_id }),
    ...(hello.user_id === undefined ? {} : { userId: hello.user_id }),
    ...(hello.diagnosis_id === undefined ? {} : { diagnosisId: hello.diagnosis_id }),
    ...(hello.patient === undefined
      ? {}
      : { patient: patientFromChat(hello.patient), addsOnly: hello.after !== undefined }),
  });
  if (attached.kind === 'refused') {
    await detachClient(ports, subscription);
    return attached;
  }
  const { view } = attached;
  admitted(sessionId, view.created);
  outlet.send([JSON.stringify(welcome(ports, sessionId, view))]);
  const { createdAt } = view.context;
  subscription.arrive({ version: view.version, epoch: view.epoch, createdAt });
  endWithShare(ports, view, subscription);
  if (clientId !== null && outlet.isOpen?.() !== false) {
    hub.replaceBy(subscription, clientId);
    sessions.replaceElsewhere(sessionId, clientId, view);
  }
  if (await place(ports.store, sessionId, hello, view, outlet, subscription))
    return { kind: 'greeted', sessionId, subscription };
  await detachClient(ports, subscription);
  // Welcome was said already: only a new connection can start over.
  return { kind: 'refused', code: 'session_moved' };
}

/** An invited reader's connection ends when the invitation does, also where it is given anew meanwhile. */
function endWithShare({ clock }: SessionServices, view: SessionView, subscription: Subscription): void {
  const { userId } = subscription;
  if (userId === null || userId === view.context.userId) return;
  const endAt = (expiresAt: number) =>
    subscription.expires(clock.after(expiresAt - clock.now(), () => subscription.end('forbidden')));
  subscription.invited(view.head, endAt);
  const share = view.context.shares.find((one) => one.userId === userId);
  if (share !== undefined) endAt(share.expiresAt);
}

/** Takes a client's place away; its instance leaves the session with the last one. */
export async function detachClient(ports: SessionServices, subscription: Subscription): Promise<void> {
  const left = ports.hub.remove(subscription);
  if (left === 'nobody') return;
  const { sessionId, userId } = subscription;
  const user = left === 'user' && userId !== null ? { userId } : {};
  await ports.sessions.send(
    sessionId,
    { type: 'detach', at: ports.clock.now(), instance: ports.instance, ...user },
    null,
  );
}

/** Puts the subscription where the client's knowledge ends; false where the store failed. */
async function place(
  store: Store,
  sessionId: string,
  hello: HelloFrame,
  view: SessionView,
  outlet: ClientConnection,
  subscription: Subscription,
): Promise<boolean> {
  const { after, epoch } = hello;
  if (after === undefined || view.created) {
    subscription.begin(after === undefined ? view.head : 0, view.epoch, after === undefined, view.state);
    return true;
  }
  const lost = epoch !== undefined && epoch > view.epoch;
  if (after <= view.head && !lost) {
    const isAtHead = after === view.head;
    const known = epoch ?? (isAtHead ? view.epoch : null);
    subscription.begin(after, known, isAtHead && known === view.epoch, view.state);
    return true;
  }
  // The client saw what this log does not have: it was lost, or it is not of this log.
  try {
    const reset = await resetFrame(store, sessionId, epoch === undefined ? 'unknown_offset' : 'rolled_back');
    if (reset?.createdAt !== view.context.createdAt) return false;
    outlet.send([reset.data]);
    subscription.begin(reset.head, reset.epoch, false, reset.state);
    return true;
  } catch {
    return false;
  }
}

function welcome(
  { instance, isSimulated = false }: SessionServices,
  sessionId: string,
  view: SessionView,
): TransientFrame {
  const { context } = view;
  return {
    type: 'welcome',
    session_id: sessionId,
    resumed: !view.created,
    state: view.state,
    offset: view.head,
    epoch: view.epoch,
    created_at: context.createdAt,
    expires_at: Math.min(idleEndsAt(context), absoluteEndsAt(context)),
    absolute_expires_at: absoluteEndsAt(context),
    instance,
    ...(isSimulated ? { simulated: true } : {}),
  };
}

/**
 * What a client is given that must start over: the conversation so far, and the offset from which it goes on. While a
 * turn runs that is just before the turn, so that its text is heard from the first delta.
 */
export async function resetFrame(
  store: Store,
  sessionId: string,
  reason: ResetReason,
): Promise<ResetPlace | null> {
  const record = await store.read(sessionId);
  const opened = record === null ? null : readSnapshot(record.snapshot);
  if (record === null || opened?.kind !== 'opened') return null;
  const { value, context, turnOffset } = opened.envelope;
  const log = await store.readLog(sessionId, record.head, 1);
  const turnIsKept = context.turn !== null && log !== null && log.first <= turnOffset;
  const head = turnIsKept ? turnOffset - 1 : record.head;
  const transcript = await store.readTranscript(sessionId);
  const state = topState(value);
  const frame: TransientFrame = {
    type: 'reset',
    reason,
    offset: head,
    epoch: record.epoch,
    state,
    transcript: transcriptLines(transcript),
  };
  return { data: JSON.stringify(frame), head, epoch: record.epoch, createdAt: context.createdAt, state };
}
