/**
 * The version of the session machine, and the migrations of older snapshots.
 *
 * Every change to state names, context or timers is a new version with a migration here. A new optional field is one too:
 * an older instance refuses unknown fields. Migrations are pure and run in order. An instance never writes a snapshot of
 * a newer version: it leaves the session to a newer instance.
 */
export const MACHINE_ID = 'session';
export const MACHINE_VERSION = 4;
/**
 * Counts the changes of the chart that stored snapshots of this version survive as they are, such as another guard or
 * action. No snapshot carries it. `npm run diagram -- diff` tells which change is of which kind.
 */
export const CHART_REVISION = 0;

/** A snapshot of any version: only these two fields are known. */
export interface StampedSnapshot {
  readonly machine: string;
  readonly machineVersion: number;
}

/** `migrations[n]` takes a snapshot of version n to version n + 1. */
export type Migrations = Readonly<Record<number, (snapshot: StampedSnapshot) => StampedSnapshot>>;

const migrations: Migrations = {
  // Version 2 counts the restarts of the running turn; a turn of version 1 had none.
  1: (snapshot) => snapshot,
  // Version 3 knows tenants; a session of version 2 is one of the default tenant.
  2: (snapshot) => snapshot,
  // Version 4 knows instructions, tags and origins, all optional.
  3: (snapshot) => snapshot,
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
