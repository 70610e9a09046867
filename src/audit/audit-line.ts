/** Writes an access as one line of JSON. A line begins with LINE_START, so that a reader finds it among other text. */
import type { Access, AccessChannel } from './audit.ts';

/** JSON escapes quotes, so no value of a line can contain this. */
export const LINE_START = '{"log":"audit"';

export interface LineOrigin {
  readonly instance: string;
  /** In ms since the epoch. */
  readonly now: number;
}

/** A line about anything; `fields` come behind the time and the instance. */
export function lineOf({ instance, now }: LineOrigin, fields: Readonly<Record<string, unknown>>): string {
  return JSON.stringify({ log: 'audit', time: new Date(now).toISOString(), instance, ...fields });
}

export function fieldsOf(access: Access): Readonly<Record<string, unknown>> {
  const { action, outcome, sessionId, sessionIds, userId, subjectUserId, clientId, format, address } = access;
  const { actor, onBehalfOf, why } = access;
  const isDenied = outcome === 'forbidden';
  return {
    action: isDenied ? 'denied' : action,
    ...(isDenied ? { attempted: action } : {}),
    outcome,
    session_id: sessionId,
    ...(sessionIds === undefined ? {} : { session_ids: sessionIds }),
    user_id: userId,
    client_id: clientId,
    ...(actor === undefined ? {} : { actor }),
    ...(onBehalfOf === undefined ? {} : { on_behalf_of: onBehalfOf }),
    ...(subjectUserId === undefined ? {} : { subject_user_id: subjectUserId }),
    ...(format === undefined ? {} : { format }),
    ...(why === undefined ? {} : { why }),
    address,
    ...entranceOf(access.channel),
  };
}

function entranceOf(channel: AccessChannel): Readonly<Record<string, string>> {
  switch (channel.kind) {
    case 'http':
      return { route: channel.route, request_id: channel.requestId };
    case 'socket':
      return { socket: channel.connection };
    case 'upgrade':
      return { route: channel.route };
  }
}
