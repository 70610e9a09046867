/**
 * Rewrites the file without what was deleted, and empties its log. Overwriting alone does not do: a page that was split
 * keeps copies in its unused middle (docs/adr/0008). In a thread of its own, so that the event loop goes on; nobody
 * else may be at the file meanwhile (`group.alone`).
 */
import { createRequire } from 'node:module';
import { Worker } from 'node:worker_threads';
import { CodedError } from '../../errors.ts';

const LOCK_WAIT_MS = 5_000;

const SCRUB = `
  const { workerData } = require('node:worker_threads');
  const Database = require(workerData.driver);
  const db = new Database(workerData.file, { timeout: workerData.lockWaitMs });
  db.pragma('secure_delete = ON');
  db.pragma('temp_store = MEMORY');
  db.exec('VACUUM');
  const [{ busy }] = db.pragma('wal_checkpoint(TRUNCATE)');
  db.close();
  if (busy !== 0) throw new Error('somebody is reading the file');
`;

export async function purgeFile(file: string): Promise<void> {
  const driver = createRequire(import.meta.url).resolve('libsql');
  const workerData = { driver, file, lockWaitMs: LOCK_WAIT_MS };
  // Without the flags of this process: a loader of ours, or --input-type=module, is not for these lines.
  const worker = new Worker(SCRUB, { eval: true, execArgv: [], workerData });
  await new Promise<void>((resolve, reject) => {
    worker.once('error', (cause) => {
      const words = 'sqlite store: deleted, but its bytes remain: the file could not be rewritten';
      reject(new CodedError('STORE_NOT_SCRUBBED', words, { cause }));
    });
    worker.once('exit', () => resolve());
  });
}
