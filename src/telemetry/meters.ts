/**
 * The durations and counts behind the alerts (deploy/alerts.yml). What is on the road of a commit has no labels: a
 * labelled metric is looked up by a string that is built for each observation.
 */
import { Counter, Histogram, type Registry } from 'prom-client';

export type StoreCall = 'claim' | 'commit' | 'append' | 'sweep' | 'renew' | 'release' | 'push';
export type ArchiveCall = 'store' | 'read' | 'search' | 'figures' | 'erase' | 'retire';
export type WriteRefusal = 'fenced' | 'conflict' | 'duplicate';

export interface Meters {
  committed(seconds: number): void;
  appended(seconds: number): void;
  writeRefused(reason: WriteRefusal): void;
  storeCallFailed(call: StoreCall): void;
  claimed(outcome: 'claimed' | 'held'): void;
  swept(): void;
  /** How long after it was due a session that nobody held was taken up. */
  tookUpLate(seconds: number): void;
  firstToken(seconds: number): void;
  generated(outcome: string, seconds: number): void;
  tokens(kind: 'prompt' | 'completion' | 'cached', count: number): void;
  archived(seconds: number): void;
  archiveCallFailed(call: ArchiveCall): void;
  auditFailed(): void;
  /** Of one session of a sample. */
  endsIn(seconds: number): void;
}

const STORE_CALLS: readonly StoreCall[] = ['claim', 'commit', 'append', 'sweep', 'renew', 'release', 'push'];
const ARCHIVE_CALLS: readonly ArchiveCall[] = ['store', 'read', 'search', 'figures', 'erase', 'retire'];

const WRITE_SECONDS = [0.0005, 0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 3];
const LAG_SECONDS = [0.1, 0.25, 0.5, 1, 2, 5, 10, 30, 60, 300];
const FIRST_TOKEN_SECONDS = [0.05, 0.1, 0.2, 0.4, 0.8, 1.5, 3, 6, 15, 30, 60];
const GENERATION_SECONDS = [0.25, 0.5, 1, 2, 4, 8, 15, 30, 60, 120, 300];
const EXPIRY_SECONDS = [10, 60, 300, 600, 1_800, 3_600, 7_200, 14_400, 28_800];

export function openMeters(registry: Registry): Meters {
  const registers = [registry];
  const counter = <L extends string>(name: string, help: string, labelNames: readonly L[] = []) =>
    new Counter({ name: `rehydra_${name}_total`, help, labelNames: [...labelNames], registers });
  const seconds = <L extends string>(
    name: string,
    help: string,
    buckets: readonly number[],
    labelNames: readonly L[] = [],
  ) =>
    new Histogram({
      name: `rehydra_${name}_seconds`,
      help,
      buckets: [...buckets],
      labelNames: [...labelNames],
      registers,
    });

  const commit = seconds('commit_duration', 'From a transition sent to stored.', WRITE_SECONDS);
  const append = seconds('append_duration', 'From running text sent to stored.', WRITE_SECONDS);
  const refused = counter('writes_refused', 'Writes that the store did not take.', ['reason']);
  const storeErrors = counter('store_call_errors', 'Calls of the store without an answer.', ['call']);
  const claims = counter('claims', 'Attempts to take a session; held: somebody else had it.', ['outcome']);
  const sweeps = counter('sweeps', 'Looks of the sweeper into a bucket.');
  const sweepLag = seconds(
    'sweep_lag',
    'From a homeless session being due to its being taken up.',
    LAG_SECONDS,
  );
  const firstToken = seconds(
    'generation_first_token',
    'From a request to its first text.',
    FIRST_TOKEN_SECONDS,
  );
  const generation = seconds('generation_duration', 'One attempt at an answer.', GENERATION_SECONDS, [
    'outcome',
  ]);
  const tokens = counter('generation_tokens', 'Tokens that were read and written.', ['kind']);
  const archive = seconds('archive_store_duration', 'From a conversation sent to archived.', WRITE_SECONDS);
  const archiveErrors = counter('archive_errors', 'Calls of the archive that failed.', ['call']);
  const auditErrors = counter('audit_errors', 'Attempts to write the audit log that failed.');
  const expiry = seconds(
    'session_expiry',
    'Time left to living sessions; a sample at a time.',
    EXPIRY_SECONDS,
  );

  // A counter that first appears with its first error has no rate at that moment, and no alert would see it.
  for (const call of STORE_CALLS) storeErrors.inc({ call }, 0);
  for (const call of ARCHIVE_CALLS) archiveErrors.inc({ call }, 0);
  for (const outcome of ['claimed', 'held']) claims.inc({ outcome }, 0);
  for (const reason of ['fenced', 'conflict', 'duplicate']) refused.inc({ reason }, 0);
  for (const kind of ['prompt', 'completion', 'cached']) tokens.inc({ kind }, 0);

  return {
    committed: (elapsed) => commit.observe(elapsed),
    appended: (elapsed) => append.observe(elapsed),
    writeRefused: (reason) => refused.inc({ reason }),
    storeCallFailed: (call) => storeErrors.inc({ call }),
    claimed: (outcome) => claims.inc({ outcome }),
    swept: () => sweeps.inc(),
    tookUpLate: (late) => sweepLag.observe(late),
    firstToken: (elapsed) => firstToken.observe(elapsed),
    generated: (outcome, elapsed) => generation.observe({ outcome }, elapsed),
    tokens: (kind, count) => tokens.inc({ kind }, count),
    archived: (elapsed) => archive.observe(elapsed),
    archiveCallFailed: (call) => archiveErrors.inc({ call }),
    auditFailed: () => auditErrors.inc(),
    endsIn: (left) => expiry.observe(left),
  };
}
