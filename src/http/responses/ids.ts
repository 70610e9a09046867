/** Ids of the OpenAI Responses API. Each one names its session or turn, so any instance finds it without a table. */

const HEX = '[0-9a-f]{32}';
const CONVERSATION_ID = new RegExp(`^conv_(${HEX})$`);
const RESPONSE_ID = new RegExp(`^resp_(${HEX})(${HEX})(_unstored)?$`);

export interface ResponseName {
  readonly sessionId: string;
  readonly turnId: string;
  /** The client asked with `store: true`, which is the default. */
  readonly isStored: boolean;
}

export const conversationIdOf = (sessionId: string): string => `conv_${hexOf(sessionId)}`;

export const responseIdOf = ({ sessionId, turnId, isStored }: ResponseName): string =>
  `resp_${hexOf(sessionId)}${hexOf(turnId)}${isStored ? '' : '_unstored'}`;

export const questionIdOf = (turnId: string): string => `msg_u${hexOf(turnId)}`;

export const answerIdOf = (turnId: string): string => `msg_a${hexOf(turnId)}`;

export const reasoningIdOf = (turnId: string): string => `rs_${hexOf(turnId)}`;

/** The session of a conversation's id; null: the service gave no such id. */
export function sessionOfConversation(id: string): string | null {
  const [, session] = CONVERSATION_ID.exec(id) ?? [];
  return session === undefined ? null : uuidOf(session);
}

/** Null: the service gave no such id. */
export function responseNamed(id: string): ResponseName | null {
  const [, session, turn, unstored] = RESPONSE_ID.exec(id) ?? [];
  if (session === undefined || turn === undefined) return null;
  return { sessionId: uuidOf(session), turnId: uuidOf(turn), isStored: unstored === undefined };
}

const hexOf = (uuid: string): string => uuid.replaceAll('-', '');

const uuidOf = (hex: string): string => hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
