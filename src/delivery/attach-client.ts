/**
 * attachClient takes a client from hello to live frames.
 *
 * The order makes the frames exact: subscribe in the hub, which watches the store; attach to the session; send `welcome`
 * with the log's head; replay the log from the client's offset; go live. The hub offers or
 * hints every frame that is stored after the subscription; all earlier frames are in the log.
 */
import { randomUUID } from 'node:crypto';
import { endsOf } from '../../machines/deadlines.ts';
import type { Clock } from '../clock.ts';
import type { ErrorCode } from '../errors.ts';
import type { Participant } from '../identity/acting-user.ts';
import type { HelloFrame } from '../protocol/client-frames.ts';
import { type TransientFrame, transcriptLines } from '../protocol/server-frames.ts';
import { toAttachRequest } from '../protocol/to-event.ts';
import { readSnapshot } from '../session/machine/snapshot.ts';
import { topState } from '../session/machine/step.ts';
import type { SessionRouter } from '../session/router/session-router.ts';
import type { SessionView } from '../session/router/session-view.ts';
import type { Store } from '../store/contract.ts';
import type { ClientConnection } from './client-connection.ts';
import type { Hub } from './hub.ts';
import type { ResetPlace, ResetReason, Subscription } from './subscription.ts';

/** SessionServices gives sockets and HTTP their access to sessions. */
export interface SessionServices {
  readonly instance: string;
  readonly sessions: SessionRouter;
  readonly hub: Hub;
  readonly store: Store;
  readonly clock: Clock;
  /** The built-in simulator answers on this instance. */
  readonly isSimulated?: boolean;
}

export type ClientAttachment =
  | { readonly kind: 'attached'; readonly sessionId: string; readonly subscription: Subscription }
  | { readonly kind: 'refused'; readonly code: ErrorCode };

/** A client that asks to take part in a session. */
export interface Arrival {
  readonly hello: HelloFrame;
  readonly participant: Participant;
  /** The server chose the id: the client names no session. */
  readonly isNew: boolean;
  /** End of a credential that the client can renew on this connection, in ms since the epoch; null or absent: none. */
  readonly identityExpiresAt?: number | null;
}

/** The session has not seen the client. After any other refusal it may have taken the client all the same. */
const NOT_ADMITTED: ReadonlySet<ErrorCode> = new Set(['forbidden', 'session_not_found']);

const ABSENT: ClientAttachment = { kind: 'refused', code: 'session_not_found' };

/** Runs `admitted` when the session lets the client in, before the client gets its first frame. */
export async function attachClient(
  services: SessionServices,
  { hello, participant, isNew, identityExpiresAt = null }: Arrival,
  connection: ClientConnection,
  admitted: (sessionId: string, created: boolean) => void,
): Promise<ClientAttachment> {
  const { sessions, hub, store } = services;
  const { userId, seesOwnOnly } = participant;
  const sessionId = hello.session_id?.toLowerCase() ?? randomUUID();
  const clientId = connection.standsAlone === true ? null : (hello.client_id ?? null);
  let subscription: Subscription;
  try {
    subscription = await hub.add(sessionId, connection, { clientId, userId });
  } catch {
    return { kind: 'refused', code: 'store_unavailable' };
  }
  const mayCreate = !seesOwnOnly || isNew;
  const attached = await sessions.attach(sessionId, toAttachRequest(hello, participant), mayCreate);
  if (attached.kind === 'refused') {
    const isUnseen = NOT_ADMITTED.has(attached.code) && attached.isPassed !== true;
    await detachClient(services, subscription, isUnseen ? 'not admitted' : undefined);
    // A client must not learn that the session of another user exists.
    return seesOwnOnly && attached.code === 'forbidden' ? ABSENT : attached;
  }
  const { view } = attached;
  admitted(sessionId, view.created);
  connection.send([JSON.stringify(welcome(services, sessionId, view, identityExpiresAt))]);
  const { createdAt } = view.context;
  subscription.setArrival({ version: view.version, epoch: view.epoch, createdAt });
  endWithShare(services, view, subscription);
  if (userId !== null && userId === view.context.userId && !view.created) {
    hub.endUnnamed(sessionId, view.version);
    sessions.endUnnamedElsewhere(sessionId, view);
  }
  if (clientId !== null && connection.isOpen?.() !== false) {
    hub.replaceBy(subscription, clientId);
    sessions.replaceElsewhere(sessionId, { clientId, userId: subscription.userId }, view);
  }
  if (await beginReplay(store, hello, view, subscription))
    return { kind: 'attached', sessionId, subscription };
  await detachClient(services, subscription);
  // The client has its `welcome` already: only a new connection can start over.
  return { kind: 'refused', code: 'session_moved' };
}

/**
 * Removes a client's subscription; with the last one, the instance leaves the session. A client that was not admitted never
 * joined: to a session that it must not reach it costs no write, unless a reader left while it was in that reader's place.
 */
export async function detachClient(
  { hub, sessions, clock, instance }: SessionServices,
  subscription: Subscription,
  how?: 'not admitted',
): Promise<void> {
  const left = hub.remove(subscription);
  if (left === 'neither' || (how === 'not admitted' && !subscription.hasOutlivedOther)) return;
  const { sessionId, userId } = subscription;
  const user = left === 'user' && userId !== null ? { userId } : {};
  await sessions.send(sessionId, { type: 'detach', at: clock.now(), instance, ...user }, null);
}

/** Ends an invited reader's connection when the invitation expires; a renewal moves that time. */
function endWithShare({ clock }: SessionServices, view: SessionView, subscription: Subscription): void {
  const { userId } = subscription;
  if (userId === null || userId === view.context.userId) return;
  const endAt = (expiresAt: number) =>
    subscription.setExpiryTimer(clock.after(expiresAt - clock.now(), () => subscription.end('forbidden')));
  subscription.setInvitation(view.head, endAt);
  const share = view.context.shares.find((one) => one.userId === userId);
  if (share !== undefined) endAt(share.expiresAt);
}

/** Starts the subscription after the client's last frame; false if the store failed. */
async function beginReplay(
  store: Store,
  { after, epoch }: HelloFrame,
  view: SessionView,
  subscription: Subscription,
): Promise<boolean> {
  if (after === undefined || view.created) {
    subscription.begin(after === undefined ? view.head : 0, view.epoch, after === undefined, view.state);
    return true;
  }
  const isLost = epoch !== undefined && epoch > view.epoch;
  // The log of a fork begins after the turns that were copied. A route that follows one turn needs none of them.
  const isForked = after === 0 && view.context.origin !== undefined && !subscription.isForOneTurn;
  if (after <= view.head && !isLost && !isForked) {
    const isAtHead = after === view.head;
    const known = epoch ?? (isAtHead ? view.epoch : null);
    subscription.begin(after, known, isAtHead && known === view.epoch, view.state);
    return true;
  }
  // The client has frames that this log lacks: the store lost them, or they come from another log.
  const reason = isForked && !isLost ? 'forked' : epoch === undefined ? 'unknown_offset' : 'rolled_back';
  const reset = await resetFrame(store, subscription.sessionId, reason).catch(() => null);
  if (reset?.createdAt !== view.context.createdAt) return false;
  subscription.connection.send([reset.data]);
  subscription.begin(reset.head, reset.epoch, false, reset.state);
  return true;
}

function welcome(
  { instance, isSimulated = false }: SessionServices,
  sessionId: string,
  view: SessionView,
  identityExpiresAt: number | null,
): TransientFrame {
  const { context } = view;
  const { expiresAt, absoluteExpiresAt } = endsOf(context);
  return {
    type: 'welcome',
    session_id: sessionId,
    resumed: !view.created,
    state: view.state,
    offset: view.head,
    epoch: view.epoch,
    created_at: context.createdAt,
    expires_at: expiresAt,
    absolute_expires_at: absoluteExpiresAt,
    instance,
    ...(isSimulated ? { simulated: true } : {}),
    ...(identityExpiresAt === null ? {} : { identity_expires_at: identityExpiresAt }),
  };
}

/**
 * The frame for a client that must start over: the conversation so far, and the offset to continue from. While a turn
 * runs that offset lies just before the turn, so that the client gets its text from the first delta.
 */
export async function resetFrame(
  store: Store,
  sessionId: string,
  reason: ResetReason,
): Promise<ResetPlace | null> {
  const record = await store.read(sessionId);
  const read = record === null ? null : readSnapshot(record.snapshot);
  if (record === null || read?.kind !== 'opened') return null;
  const { value, context, turnOffset } = read.snapshot;
  const log = await store.readLog(sessionId, record.head, 1);
  const isTurnKept = context.turn !== null && log !== null && log.first <= turnOffset;
  const head = isTurnKept ? turnOffset - 1 : record.head;
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
