/**
 * Meters are the durations and counts behind the alerts (deploy/alerts.yml). Those of a commit have no labels: prom-client
 * builds a string for each observation of a labelled metric.
 */
import { Counter, Histogram, type Registry } from 'prom-client';

export type Meters = ReturnType<typeof openMeters>;

const STORE_CALLS = ['claim', 'commit', 'append', 'sweep', 'renew', 'release', 'push'] as const;
const ARCHIVE_CALLS = ['store', 'read', 'search', 'figures', 'erase', 'retire'] as const;

export type StoreCall = (typeof STORE_CALLS)[number];
export type ArchiveCall = (typeof ARCHIVE_CALLS)[number];

const WRITE_SECONDS = [0.0005, 0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 3];
const LAG_SECONDS = [0.1, 0.25, 0.5, 1, 2, 5, 10, 30, 60, 300];
const FIRST_TOKEN_SECONDS = [0.05, 0.1, 0.2, 0.4, 0.8, 1.5, 3, 6, 15, 30, 60];
const GENERATION_SECONDS = [0.25, 0.5, 1, 2, 4, 8, 15, 30, 60, 120, 300];
const EXPIRY_SECONDS = [10, 60, 300, 600, 1_800, 3_600, 7_200, 14_400, 28_800];

export function openMeters(registry: Registry) {
  const registers = [registry];
  /** Starts at 0 for each of `values`: a counter that appears with its first error has no rate yet, so no alert fires. */
  const counter = <L extends string>(
    name: string,
    help: string,
    label?: L,
    values: readonly string[] = [],
  ) => {
    const labelNames = label === undefined ? [] : [label];
    const made = new Counter<L>({ name: `rehydra_${name}_total`, help, labelNames, registers });
    for (const value of values) made.inc({ [`${label}`]: value } as Record<L, string>, 0);
    return made;
  };
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

  return {
    commit: seconds(
      'commit_duration',
      'Time to store a transition, as the instance waits for it.',
      WRITE_SECONDS,
    ),
    append: seconds(
      'append_duration',
      'Time to store running text, as the instance waits for it.',
      WRITE_SECONDS,
    ),
    writesRefused: counter('writes_refused', 'Writes that the store refused.', 'reason', [
      'fenced',
      'conflict',
      'duplicate',
    ]),
    storeErrors: counter('store_call_errors', 'Store calls without an answer.', 'call', STORE_CALLS),
    claims: counter('claims', 'Attempts to claim a session; held: another instance owns it.', 'outcome', [
      'claimed',
      'held',
    ]),
    sweeps: counter('sweeps', 'Buckets of due sessions that the sweeper has read.'),
    sweepLag: seconds(
      'sweep_lag',
      'Time from the due time of a session without an owner to its claim.',
      LAG_SECONDS,
    ),
    firstToken: seconds(
      'generation_first_token',
      'Time from a generation request to its first text.',
      FIRST_TOKEN_SECONDS,
    ),
    generation: seconds('generation_duration', 'Duration of one attempt at an answer.', GENERATION_SECONDS, [
      'outcome',
    ]),
    tokens: counter('generation_tokens', 'Tokens that the model read and wrote.', 'kind', [
      'prompt',
      'completion',
      'cached',
    ]),
    archived: seconds('archive_store_duration', 'Time to archive a conversation.', WRITE_SECONDS),
    archiveErrors: counter('archive_errors', 'Archive calls that failed.', 'call', ARCHIVE_CALLS),
    auditErrors: counter('audit_errors', 'Writes of the audit log that failed.'),
    expiry: seconds('session_expiry', 'Time left to living sessions, from samples of them.', EXPIRY_SECONDS),
  };
}
