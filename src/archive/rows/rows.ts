/** Converts a session to rows and back, and computes the columns that searches and figures read. */
import type {
  ArchivedHead,
  ArchivedHistory,
  ArchivedLine,
  ArchivedSession,
  ArchivedTurn,
} from '../archive.ts';
import type { LineRow, SessionRow, TurnRow } from '../database/tables.ts';
import type { FieldCipher, Life } from '../field-cipher.ts';
import { indexedWords, wordsOf } from '../search/search-words.ts';

const PATTERN_WORDS = 3;

export const HEAD_COLUMNS = [
  'session_id',
  'created_at',
  'tenant',
  'ended_at',
  'end_reason',
  'client_id',
  'user_id',
  'diagnosis_id',
  'turn_count',
] as const;

export const HISTORY = 'history';

export function sessionRow(
  session: ArchivedSession,
  cipher: FieldCipher,
  history: ArchivedHistory | null = null,
): Omit<SessionRow, 'n'> {
  const answers = contentsOf(session, 'assistant').map(sameText);
  const secondQuestion = contentsOf(session, 'user')[1];
  const pattern = wordsOf(secondQuestion ?? '').slice(0, PATTERN_WORDS);
  const userId = storableOrNull(session.userId);
  const diagnosisId = storableOrNull(session.diagnosisId);
  const life = lifeOf(session);
  return {
    ...life,
    tenant: session.tenant,
    ended_at: session.endedAt,
    end_reason: session.endReason,
    client_id: storableOrNull(session.clientId),
    user_id: userId,
    diagnosis_id: diagnosisId,
    patient: cipher.write(life, 'patient', JSON.stringify(session.patient)),
    turn_count: session.turnCount,
    answers: answers.length,
    revised: answers.some((answer) => answer !== answers[0]) ? 1 : 0,
    second_question: pattern.length === 0 ? null : cipher.writePattern(pattern.join(' ')),
    words: indexedWords({ lines: session.lines, tenant: session.tenant, userId, diagnosisId }, cipher.mark),
    history: history === null ? null : cipher.write(life, HISTORY, storable(history.text)),
  };
}

export function lineRows(n: number, session: ArchivedSession, cipher: FieldCipher): readonly LineRow[] {
  const life = lifeOf(session);
  return session.lines.map((line, place) => ({
    n,
    place,
    role: line.role,
    author: storableOrNull(line.author),
    content: cipher.write(life, linePlace(place), storable(line.content)),
    turn_id: storable(line.turnId),
    at: line.at,
    simulated: line.simulated === true ? 1 : 0,
  }));
}

export function turnRows(n: number, { turns }: ArchivedSession): readonly TurnRow[] {
  return turns.map((turn, place) => ({
    n,
    place,
    turn_id: storable(turn.turnId),
    started_at: turn.startedAt,
    outcome: turn.outcome,
    prompt_tokens: turn.promptTokens,
    completion_tokens: turn.completionTokens,
    first_token_ms: turn.firstTokenMs,
    total_ms: turn.totalMs,
  }));
}

export function headOf(row: Pick<SessionRow, (typeof HEAD_COLUMNS)[number]>): ArchivedHead {
  return {
    sessionId: row.session_id,
    createdAt: row.created_at,
    tenant: row.tenant,
    endedAt: row.ended_at,
    endReason: row.end_reason,
    clientId: row.client_id,
    userId: row.user_id,
    diagnosisId: row.diagnosis_id,
    turnCount: row.turn_count,
  };
}

export function lineOf(row: LineRow, life: Life, cipher: FieldCipher): ArchivedLine {
  const { role, author, at } = row;
  const content = cipher.read(life, linePlace(row.place), row.content);
  const simulated = row.simulated === 1 ? { simulated: true } : {};
  return { role, author, content, turnId: row.turn_id, at, ...simulated };
}

export function turnOf(row: TurnRow): ArchivedTurn {
  return {
    turnId: row.turn_id,
    startedAt: row.started_at,
    outcome: row.outcome,
    promptTokens: row.prompt_tokens,
    completionTokens: row.completion_tokens,
    firstTokenMs: row.first_token_ms,
    totalMs: row.total_ms,
  };
}

function lifeOf(session: ArchivedSession): Life {
  return { session_id: storable(session.sessionId), created_at: session.createdAt };
}

export function linePlace(place: number): string {
  return `line/${place}`;
}

/** PostgreSQL refuses text with a NUL: such a session could never be archived. */
export function storable(text: string): string {
  return text.replaceAll('\0', '\ufffd');
}

export function storableOrNull(text: string | null): string | null {
  return text === null ? null : storable(text);
}

function contentsOf({ lines }: ArchivedSession, role: ArchivedLine['role']): readonly string[] {
  return lines.filter((line) => line.role === role).map(({ content }) => content);
}

/** Two answers are equal despite case and spaces; a point or a minus makes a difference. */
function sameText(text: string): string {
  return text.normalize('NFKC').toLowerCase().replace(/\s+/g, ' ').trim();
}
