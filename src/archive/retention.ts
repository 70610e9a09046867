/** Deletes conversations after their retention, at the start and every hour. Every instance may do it; a repeat is harmless. */
import { startInterval } from '../clock.ts';
import type { Log } from '../telemetry/log.ts';
import type { Archive } from './archive.ts';

const EVERY_MS = 3_600_000;

export function keepRetention(archive: Archive, retentionMs: number, log: Log): () => void {
  const retire = () => {
    archive.retire(Date.now() - retentionMs).then(
      (deleted) => {
        if (deleted > 0) log.info({ deleted }, 'archived conversations deleted after their retention');
      },
      (error: unknown) => log.warn({ err: error }, 'retention failed'),
    );
  };
  retire();
  return startInterval(EVERY_MS, retire, { background: true }).cancel;
}
