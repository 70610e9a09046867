/**
 * openConversation makes the conversation of a request that needs one of its own: a branch of an older one, or one that
 * begins with messages of the client.
 *
 *  OPENCONV-1  It runs after the limits and the audit log have admitted the request, and again for a repeated request: the
 *              conversation is then there already.
 *  OPENCONV-2  The log has no frames of the turns that the client brings. A session that names itself as its origin sends
 *              them as a `reset`, like a fork; without it a client of another door would miss them.
 */
import { randomUUID } from 'node:crypto';
import { tenantField } from '../../../../machines/tenant.ts';
import type { Tags } from '../../../../machines/vocabulary.ts';
import type { ErrorCode } from '../../../errors.ts';
import type { Participant } from '../../../identity/acting-user.ts';
import { type ForkRequest, forkSession } from '../../../session/router/fork.ts';
import type { TranscriptEntry } from '../../../store/contract.ts';
import type { HttpPorts } from '../../core/ports.ts';
import type { TurnRequest } from '../../turns/turn-request.ts';
import type { ToldTurn } from '../input.ts';

export interface Seed {
  readonly turns: readonly ToldTurn[];
  readonly tags?: Tags;
}

/** Null: the conversation is there. */
export async function beginConversation(
  { sessions, clock }: HttpPorts,
  { sessionId, participant, note }: Pick<TurnRequest, 'sessionId' | 'participant' | 'note'>,
  { turns, tags }: Seed,
): Promise<ErrorCode | null> {
  const { userId, tenant } = participant;
  const transcript = entriesOf(turns, participant, clock.now());
  const turnId = transcript.at(-1)?.turnId ?? null;
  const begun = await sessions.create({
    sessionId,
    clientId: null,
    userId,
    ...tenantField(tenant),
    diagnosisId: null,
    ...(tags === undefined ? {} : { tags }),
    // OPENCONV-2
    ...(turnId === null ? {} : { origin: { sessionId, turnId } }),
    turnCount: turns.length,
    transcript,
  });
  if (begun.kind === 'refused') {
    note('created', begun.code);
    return begun.code;
  }
  if (begun.created) note('created', 'ok');
  return null;
}

/** Null: the branch is there. */
export async function branchConversation(
  ports: HttpPorts,
  { note }: Pick<TurnRequest, 'note'>,
  request: ForkRequest,
): Promise<ErrorCode | null> {
  const forked = await forkSession(ports, request, null);
  note('forked', forked.kind === 'forked' ? 'ok' : forked.code);
  return forked.kind === 'forked' ? null : forked.code;
}

function entriesOf(
  turns: readonly ToldTurn[],
  { userId }: Participant,
  at: number,
): readonly TranscriptEntry[] {
  const author = userId === null ? {} : { author: userId };
  return turns.flatMap(({ question, answer }): TranscriptEntry[] => {
    const turnId = randomUUID();
    const asked = { role: 'user', content: question, turnId, at, ...author } as const;
    return answer === null ? [asked] : [asked, { role: 'assistant', content: answer, turnId, at }];
  });
}
