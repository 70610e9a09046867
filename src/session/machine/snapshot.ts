/**
 * Snapshot is the stored state of a session, beside its log: machine, version, state, context, deadlines, jobs.
 * The format is independent of XState's own, so an upgrade of XState changes no stored data.
 */
import { z } from 'zod';
import { MACHINE_ID, MACHINE_VERSION, type Upgrade, upgrade } from '../../../machines/versions.ts';
import { contextSchema, type SessionContext } from '../../../machines/vocabulary.ts';
import type { SessionIndex } from '../../store/contract.ts';
import { indexState, indexUser } from '../../store/tenant-index.ts';
import { type Jobs, type MachineState, type Timers, topState } from './step.ts';

export interface Snapshot {
  readonly machine: string;
  readonly machineVersion: number;
  readonly value: unknown;
  readonly context: SessionContext;
  readonly timers: Timers;
  readonly jobs: Jobs;
  /** Offset of the running turn's last `turn.started`; the answer's deltas follow it. */
  readonly turnOffset: number;
}

const snapshotSchema = z.strictObject({
  machine: z.literal(MACHINE_ID),
  machineVersion: z.literal(MACHINE_VERSION),
  value: z.union([z.string(), z.record(z.string(), z.json())]),
  context: contextSchema,
  timers: z.record(z.string(), z.number()),
  jobs: z.record(z.string(), z.strictObject({ src: z.string(), key: z.string() })),
  turnOffset: z.number(),
});

export function toSnapshot(state: MachineState, turnOffset: number): Snapshot {
  return {
    machine: MACHINE_ID,
    machineVersion: MACHINE_VERSION,
    value: state.snapshot.value,
    context: state.snapshot.context,
    timers: state.timers,
    jobs: state.jobs,
    turnOffset,
  };
}

export type ReadSnapshot =
  | {
      readonly kind: 'opened';
      readonly snapshot: Snapshot;
      readonly migrated: boolean;
      /** The machine version of the stored form, if it was another. */
      readonly from?: number;
    }
  | { readonly kind: 'newer'; readonly version: number }
  | { readonly kind: 'unreadable'; readonly reason: string };

/** Reads a stored snapshot. An older one is migrated in memory; the owner stores the migrated form under its fence. */
export function readSnapshot(json: string, migrate: (stamped: Snapshot) => Upgrade = upgrade): ReadSnapshot {
  let raw: unknown;
  try {
    raw = JSON.parse(json);
  } catch {
    return { kind: 'unreadable', reason: 'not JSON' };
  }
  if (typeof raw !== 'object' || raw === null) return { kind: 'unreadable', reason: 'not an object' };
  const upgraded = migrate(raw as Snapshot);
  if (upgraded.kind === 'newer') return { kind: 'newer', version: upgraded.version };
  if (upgraded.kind === 'unknown') return { kind: 'unreadable', reason: upgraded.reason };
  const parsed = snapshotSchema.safeParse(upgraded.snapshot);
  if (!parsed.success) return { kind: 'unreadable', reason: z.prettifyError(parsed.error) };
  const snapshot = parsed.data as Snapshot;
  if (upgraded.kind === 'current') return { kind: 'opened', snapshot, migrated: false };
  return { kind: 'opened', snapshot, migrated: true, from: upgraded.from };
}

/** The fields by which the store lists and counts sessions. */
export function indexOf(value: unknown, { userId, tenant = '', createdAt }: SessionContext): SessionIndex {
  return {
    state: indexState(tenant, topState(value)),
    userId: userId === null ? null : indexUser(tenant, userId),
    createdAt,
  };
}
