/**
 * Converts a session of the guide. The guide is the requirements document of this service: its own implementation keeps a
 * session as one JSON value under `session:{id}`, and a migration can import such values.
 *
 * The real state machine produces the stored snapshot from three events (created, last used, left), so this version reads
 * it like its own. Equal values give equal dumps: a repeated move recognises its earlier copies.
 */
import { z } from 'zod';
import type { SessionLimits } from '../../machines/vocabulary.ts';
import { patientFromChat } from '../conversation/patient/patient.ts';
import { buildFrames } from '../session/actor/frames.ts';
import { indexOf, readSnapshot, toSnapshot } from '../session/machine/snapshot.ts';
import { begin, type MachineState, step } from '../session/machine/step.ts';
import type { SessionDump, StoredFrame, TranscriptEntry } from '../store/contract.ts';
import type { Found } from './source.ts';

const SECONDS_END = 100_000_000_000;
/** Python's isoformat() of a naive datetime has no zone; we read it as UTC. */
const ZONE = /(Z|[+-]\d\d:?\d\d)$/;

const time = z.union([z.string(), z.number()]).transform((value, context) => {
  const ms =
    typeof value === 'number'
      ? value < SECONDS_END
        ? value * 1_000
        : value
      : Date.parse(ZONE.test(value) ? value : `${value.replace(' ', 'T')}Z`);
  if (Number.isFinite(ms) && ms >= 0) return Math.trunc(ms);
  context.addIssue({ code: 'custom', message: 'not a time' });
  return z.NEVER;
});

const ROLES = {
  user: 'user',
  human: 'user',
  assistant: 'assistant',
  ai: 'assistant',
  system: 'system',
} as const;

const guideSchema = z.object({
  created_at: time,
  last_access: time,
  conversation_count: z.int().min(0).default(0),
  patient_info: z.record(z.string(), z.json()).nullish(),
  messages: z
    .array(z.object({ role: z.enum(['user', 'human', 'assistant', 'ai', 'system']), content: z.string() }))
    .default([]),
});

type GuideSession = z.infer<typeof guideSchema>;

const SESSION_ID = /^[\w.:-]{1,128}$/;
/** The instance in the imported record; no real instance has this name. */
const INSTANCE = 'guide';

export function guideSession(sessionId: string, value: string, limits: SessionLimits): Found {
  const unreadable = (reason: string): Found => ({ kind: 'unreadable', sessionId, reason });
  if (!SESSION_ID.test(sessionId)) return unreadable('its id is not one that a client may send');
  let json: unknown;
  try {
    json = JSON.parse(value);
  } catch {
    return unreadable('not JSON');
  }
  const parsed = guideSchema.safeParse(json);
  if (!parsed.success) return unreadable(z.prettifyError(parsed.error).replaceAll('\n', ' '));
  const dump = dumpOf(sessionId, parsed.data, limits);
  const opened = readSnapshot(dump.record.snapshot);
  return opened.kind === 'opened' ? { kind: 'session', dump } : unreadable(`its snapshot is ${opened.kind}`);
}

function dumpOf(sessionId: string, guide: GuideSession, limits: SessionLimits): SessionDump {
  const usedAt = Math.max(guide.created_at, guide.last_access);
  const epoch = Math.max(1, usedAt);
  const created = begin(
    {
      at: guide.created_at,
      sessionId,
      instance: INSTANCE,
      clientId: null,
      userId: null,
      diagnosisId: null,
      limits,
    },
    '1',
  );
  const used = step(created.next, { type: 'extend', at: usedAt }, '2');
  const left = step(used.next, { type: 'detach', at: usedAt, instance: INSTANCE }, '3');
  const frames: StoredFrame[] = [];
  for (const [index, { effects }] of [created, used, left].entries()) {
    frames.push(
      ...buildFrames(effects, { head: frames.length, epoch, version: index + 1 }, null, null).frames,
    );
  }
  const { snapshot, timers, jobs } = left.next;
  const context = {
    ...snapshot.context,
    patient: patientFromChat(guide.patient_info ?? {}),
    turnCount: guide.conversation_count,
  };
  const state = { snapshot: { ...snapshot, context }, timers, jobs } as MachineState;
  return {
    sessionId,
    record: {
      version: 3,
      epoch,
      head: frames.length,
      snapshot: JSON.stringify(toSnapshot(state, 0)),
      instance: INSTANCE,
      dueAt: Math.min(...Object.values(timers)),
      inboxLength: 0,
    },
    index: indexOf(snapshot.value, context),
    frames,
    transcript: transcriptOf(guide, usedAt),
    inbox: [],
    history: [],
    messageIds: [],
    held: false,
  };
}

/** Without system prompts: they belong to the operator, not to the conversation. */
function transcriptOf({ messages }: GuideSession, at: number): readonly TranscriptEntry[] {
  const entries: TranscriptEntry[] = [];
  let turn = 0;
  for (const { role, content } of messages) {
    const ours = ROLES[role];
    if (ours === 'system') continue;
    if (ours === 'user' || turn === 0) turn += 1;
    entries.push({ role: ours, content, turnId: `guide-${turn}`, at });
  }
  return entries;
}
