/** Attaches a request to a session like a socket, while it runs. */
import { attachClient, detachClient } from '../../delivery/attach-client.ts';
import type { ClientConnection } from '../../delivery/client-connection.ts';
import type { HttpPorts } from '../core/ports.ts';
import type { TurnResult } from './turn-collector.ts';
import type { TurnRequest } from './turn-request.ts';

/** The last frame that the client has, or null for none; `epoch` shows whether the log lost it. */
export interface LogPlace {
  readonly after: number;
  readonly epoch: number | null;
}

type Refused = Extract<TurnResult, { readonly kind: 'refused' }>;

/** Runs `task` while `connection` gets the frames that follow `place`. */
export async function whileAttached<T>(
  ports: HttpPorts,
  turn: Omit<TurnRequest, 'message'>,
  place: LogPlace | null,
  connection: ClientConnection,
  task: () => Promise<T>,
): Promise<T | Refused> {
  turn.onGone(() => connection.end('slow_consumer'));
  let isAdmitted = false;
  const { participant, isNew, sessionId } = turn;
  const hello = {
    type: 'hello',
    session_id: sessionId,
    ...turn.arrival,
    ...(place !== null && { after: place.after }),
    ...(place !== null && place.epoch !== null && { epoch: place.epoch }),
  } as const;
  const attachment = await attachClient(ports, { hello, participant, isNew }, connection, (_, created) => {
    isAdmitted = true;
    turn.note(created ? 'created' : 'resumed', 'ok');
    if (created) turn.onUnknown();
  });
  if (attachment.kind === 'refused') {
    if (!isAdmitted) turn.note(isNew ? 'created' : 'resumed', attachment.code);
    return attachment;
  }
  const stopWatching = turn.whenIdentityEnds(() => connection.end('identity_ended'));
  try {
    return await task();
  } finally {
    stopWatching();
    // A failed detach must not replace the answer.
    await detachClient(ports, attachment.subscription).catch(turn.failed);
  }
}
