/**
 * The version of the session machine, and how snapshots of earlier versions become today's.
 *
 * Any change to state names, context or timers is a new version with a migration here, a new optional field too: an
 * older instance refuses fields that it does not know. Migrations are pure and run in order. An snapshot that is newer
 * than this code is never touched: the instance hands the session on instead.
 */
export const MACHINE_ID = 'session';
export const MACHINE_VERSION = 2;

/** An snapshot of any version: only its stamp is known. */
export interface StampedSnapshot {
  readonly machine: string;
  readonly machineVersion: number;
}

/** `migrations[n]` takes an snapshot of version n to version n + 1. */
export type Migrations = Readonly<Record<number, (snapshot: StampedSnapshot) => StampedSnapshot>>;

const migrations: Migrations = {
  // Version 2 may count the restarts of the running turn; a turn of version 1 has had none.
  1: (snapshot) => snapshot,
};

export type Upgrade =
  | { readonly kind: 'current'; readonly snapshot: StampedSnapshot }
  | { readonly kind: 'migrated'; readonly snapshot: StampedSnapshot; readonly from: number }
  | { readonly kind: 'newer'; readonly version: number }
  | { readonly kind: 'unknown'; readonly reason: string };

export function upgrade(
  snapshot: StampedSnapshot,
  target: number = MACHINE_VERSION,
  steps: Migrations = migrations,
): Upgrade {
  if (snapshot.machine !== MACHINE_ID) return { kind: 'unknown', reason: `machine ${snapshot.machine}` };
  const from = snapshot.machineVersion;
  if (!Number.isInteger(from) || from < 1) return { kind: 'unknown', reason: `version ${from}` };
  if (from > target) return { kind: 'newer', version: from };
  let current = snapshot;
  for (let version = from; version < target; version++) {
    const migrate = steps[version];
    if (migrate === undefined) return { kind: 'unknown', reason: `no migration from version ${version}` };
    current = { ...migrate(current), machineVersion: version + 1 };
  }
  return from === target
    ? { kind: 'current', snapshot: current }
    : { kind: 'migrated', snapshot: current, from };
}
