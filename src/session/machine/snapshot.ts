/**
 * What is stored of a session besides its log: machine, version, state, context, deadlines, running jobs.
 * Our own minimal form, not xstate's: a change of library is then not a change of data.
 */
import { z } from 'zod';
import { MACHINE_ID, MACHINE_VERSION, type Upgrade, upgrade } from '../../../machines/versions.ts';
import type { SessionContext } from '../../../machines/vocabulary.ts';
import type { Jobs, MachineState, Timers } from './step.ts';

export interface Snapshot {
  readonly machine: string;
  readonly machineVersion: number;
  readonly value: unknown;
  readonly context: SessionContext;
  readonly timers: Timers;
  readonly jobs: Jobs;
  /** Offset of the running turn's last `turn.started`: the deltas of its answer come after it. */
  readonly turnOffset: number;
}

const nullableText = z.string().nullable();
const options = z.object({
  maxTokens: z.number().optional(),
  temperature: z.number().optional(),
  stop: z.array(z.string()).optional(),
});

const contextSchema = z.strictObject({
  sessionId: z.string(),
  clientId: nullableText,
  userId: nullableText,
  diagnosisId: nullableText,
  createdAt: z.number(),
  connectedAt: z.number(),
  lastActivityAt: z.number(),
  limits: z.strictObject({
    idleMs: z.number(),
    absoluteMs: z.number(),
    warnMs: z.number(),
    queueMax: z.number(),
    attemptsMax: z.number(),
    resumesMax: z.number(),
  }),
  attached: z.array(z.string()),
  queue: z.array(
    z.strictObject({
      turnId: z.string(),
      messageIds: z.array(z.string()),
      content: z.string(),
      author: nullableText.optional(),
      policy: z.enum(['queue', 'reject', 'interrupt', 'rollback', 'merge']),
      options,
    }),
  ),
  turn: z
    .strictObject({
      id: z.string(),
      messageIds: z.array(z.string()),
      options,
      attempt: z.number(),
      resumed: z.number(),
      failedReplica: nullableText,
      restarts: z.number().optional(),
    })
    .nullable(),
  patient: z.record(z.string(), z.json()),
  shares: z.array(
    z.strictObject({
      id: z.string(),
      userId: z.string(),
      access: z.enum(['read', 'write']),
      expiresAt: z.number(),
    }),
  ),
  present: z.array(z.strictObject({ userId: z.string(), instance: z.string() })),
  turnCount: z.number(),
  lastReplica: nullableText,
  warned: z.boolean(),
  endReason: z.enum(['idle', 'absolute', 'closed', 'admin']).nullable(),
  erased: z.boolean(),
});

const envelopeSchema = z.strictObject({
  machine: z.literal(MACHINE_ID),
  machineVersion: z.literal(MACHINE_VERSION),
  value: z.union([z.string(), z.record(z.string(), z.json())]),
  context: contextSchema,
  timers: z.record(z.string(), z.number()),
  jobs: z.record(z.string(), z.strictObject({ src: z.string(), key: z.string() })),
  turnOffset: z.number(),
});

export function toSnapshot(resting: MachineState, turnOffset: number): Snapshot {
  return {
    machine: MACHINE_ID,
    machineVersion: MACHINE_VERSION,
    value: resting.snapshot.value,
    context: resting.snapshot.context,
    timers: resting.timers,
    jobs: resting.jobs,
    turnOffset,
  };
}

export type ReadSnapshot =
  | { readonly kind: 'opened'; readonly envelope: Snapshot; readonly migrated: boolean }
  | { readonly kind: 'newer'; readonly version: number }
  | { readonly kind: 'unreadable'; readonly reason: string };

/** Reads a stored snapshot, migrating an older one in memory; the owner stores the migrated form under its fence. */
export function readSnapshot(json: string, up: (stamped: Snapshot) => Upgrade = upgrade): ReadSnapshot {
  let raw: unknown;
  try {
    raw = JSON.parse(json);
  } catch {
    return { kind: 'unreadable', reason: 'not JSON' };
  }
  if (typeof raw !== 'object' || raw === null) return { kind: 'unreadable', reason: 'not an object' };
  const upgraded = up(raw as Snapshot);
  if (upgraded.kind === 'newer') return { kind: 'newer', version: upgraded.version };
  if (upgraded.kind === 'unknown') return { kind: 'unreadable', reason: upgraded.reason };
  const parsed = envelopeSchema.safeParse(upgraded.envelope);
  if (!parsed.success) return { kind: 'unreadable', reason: z.prettifyError(parsed.error) };
  return { kind: 'opened', envelope: parsed.data as Snapshot, migrated: upgraded.kind === 'migrated' };
}
