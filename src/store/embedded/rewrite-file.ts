/**
 * Rewrites an SQLite file without its deleted bytes, and empties its write-ahead log. `secure_delete` is not enough: a
 * page that was split keeps copies in its unused middle (docs/adr/0008). A worker thread does it, so the event loop stays
 * free; the caller must not use its own connection meanwhile.
 */
import { createRequire } from 'node:module';
import { Worker } from 'node:worker_threads';

const LOCK_WAIT_MS = 5_000;

const REWRITE = `
  const { workerData } = require('node:worker_threads');
  const Database = require(workerData.driver);
  const db = new Database(workerData.file, { timeout: workerData.lockWaitMs });
  db.pragma('secure_delete = ON');
  db.pragma('temp_store = MEMORY');
  db.exec(workerData.before);
  db.exec('VACUUM');
  const [{ busy }] = db.pragma('wal_checkpoint(TRUNCATE)');
  db.close();
  if (busy !== 0) throw new Error('another process is reading the file');
`;

/** `before` is SQL that runs first. */
export async function rewriteFile(file: string, before = ''): Promise<void> {
  const driver = createRequire(import.meta.url).resolve('libsql');
  const workerData = { driver, file, before, lockWaitMs: LOCK_WAIT_MS };
  // Without the flags of this process: a loader or --input-type=module would break these lines.
  const worker = new Worker(REWRITE, { eval: true, execArgv: [], workerData });
  await new Promise<void>((resolve, reject) => {
    worker.once('error', reject);
    worker.once('exit', () => resolve());
  });
}
