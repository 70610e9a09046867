/** Ids of chats, runs and messages in stock clients, and the sessions and turns that they name. */
import { z } from 'zod';
import type { Participant } from '../../identity/acting-user.ts';
import { derivedUuid } from '../../protocol/derived-uuid.ts';

const HEX = '[0-9a-f]{32}';
const RUN_ID = new RegExp(`^run_(${HEX})(${HEX})$`);
const ITEM_ID = new RegExp(`^msg_[ua](${HEX})$`);

export const isUuid = (id: string): boolean => z.uuid().safeParse(id).success;

/** The session belongs to the user: two users may choose the same id. */
export const sessionOfChat = (id: string, { tenant, userId }: Participant): string =>
  derivedUuid('chat', tenant, userId ?? '', id);

/** A repeated request finds the turn of the first one. */
export const turnOfMessage = (sessionId: string, messageId: string): string =>
  derivedUuid('turn', sessionId, messageId);

/** The id of one turn. Null: the id is that of a chat. */
export function runIn(id: string): { readonly sessionId: string; readonly turnId: string } | null {
  const [, session, turn] = RUN_ID.exec(id) ?? [];
  return session === undefined || turn === undefined
    ? null
    : { sessionId: uuidOf(session), turnId: uuidOf(turn) };
}

export const runIdOf = (sessionId: string, turnId: string): string =>
  `run_${hexOf(sessionId)}${hexOf(turnId)}`;

export const questionIdOf = (turnId: string): string => `msg_u${hexOf(turnId)}`;

export const answerIdOf = (turnId: string): string => `msg_a${hexOf(turnId)}`;

/** The turn of an id from a history or a stream of this service; null: the client made the id. */
export function turnOfItem(messageId: string): string | null {
  const [, turn] = ITEM_ID.exec(messageId) ?? [];
  return turn === undefined ? null : uuidOf(turn);
}

const hexOf = (uuid: string): string => uuid.replaceAll('-', '');

const uuidOf = (hex: string): string => hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
