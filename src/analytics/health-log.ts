/**
 * HealthLog writes one line when the store or the archive stops taking writes, and one when it takes them again, also on
 * an idle instance.
 */
import type { Archive } from '../archive/archive.ts';
import type { Store } from '../store/contract.ts';
import type { Log } from '../telemetry/log.ts';

export interface HealthLogPorts {
  readonly store: Pick<Store, 'health'>;
  readonly archive: Pick<Archive, 'health'>;
  readonly log: Pick<Log, 'error' | 'info'>;
  readonly after: (delayMs: number, task: () => void) => () => void;
}

const EVERY_MS = 5_000;

/** The returned function stops it. */
export function logHealth({ store, archive, log, after }: HealthLogPorts): () => void {
  let storeUp = true;
  let archiveUp = true;
  let cancel = (): void => {};
  let stopped = false;

  async function look(): Promise<void> {
    const health = await store.health().catch((error: unknown) => ({ ok: false, detail: String(error) }));
    const archiveOk = await archive.health().catch(() => false);
    if (stopped) return;
    if (health.ok !== storeUp) {
      if (health.ok) log.info('the store takes writes again');
      else log.error({ reason: health.detail }, 'the store takes no writes: this instance refuses messages');
    }
    if (archiveOk !== archiveUp) {
      if (archiveOk) log.info('the archive takes writes again');
      else log.error('the archive takes no writes: conversations continue, but none can end');
    }
    storeUp = health.ok;
    archiveUp = archiveOk;
    cancel = after(EVERY_MS, () => void look());
  }

  cancel = after(EVERY_MS, () => void look());
  return () => {
    stopped = true;
    cancel();
  };
}
