/** The context of a new session. */
import { tenantField } from './tenant.ts';
import type { SessionContext, SessionInput } from './vocabulary.ts';

export const firstContext = (input: SessionInput): SessionContext => ({
  sessionId: input.sessionId,
  clientId: input.clientId,
  userId: input.userId,
  ...tenantField(input.tenant),
  diagnosisId: input.diagnosisId,
  createdAt: input.at,
  connectedAt: input.at,
  lastActivityAt: input.at,
  limits: input.limits,
  attached: [input.instance],
  queue: [],
  turn: null,
  patient: input.patient ?? {},
  shares: [],
  present: input.userId === null ? [] : [{ userId: input.userId, instance: input.instance }],
  turnCount: input.turnCount ?? 0,
  lastReplica: null,
  ...(input.origin === undefined ? {} : { origin: input.origin }),
  ...(input.tags === undefined ? {} : { tags: input.tags }),
  warned: false,
  endReason: null,
  erased: false,
});
