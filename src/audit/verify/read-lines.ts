/** Reads files line by line as latin1, of any size, without losing a byte. */
import { closeSync, openSync, readSync } from 'node:fs';
import { z } from 'zod';
import type { ChainPoint } from '../sealed-line.ts';
import type { Reading } from './reading.ts';

const CHUNK_BYTES = 1024 * 1024;

/** Throws if the file cannot be read. Returns whether the last line has a line end. */
function readLines(path: string, take: (line: string) => void): boolean {
  const descriptor = openSync(path, 'r');
  const chunk = Buffer.alloc(CHUNK_BYTES);
  let rest = '';
  try {
    for (;;) {
      const read = readSync(descriptor, chunk, 0, CHUNK_BYTES, null);
      if (read === 0) break;
      const lines = (rest + chunk.toString('latin1', 0, read)).split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) take(line);
    }
  } finally {
    closeSync(descriptor);
  }
  if (rest !== '') take(rest);
  return rest === '';
}

export function readAuditFile(reading: Reading, path: string): void {
  reading.startFile(path);
  reading.endFile(readLines(path, (line) => reading.take(line)));
}

const reportSchema = z.object({
  auditHead: z.object({ chain: z.string(), seq: z.int(), mac: z.string() }),
});

/** The heads that a log of the service reports, the last one of each chain. */
export function anchorsIn(path: string): readonly ChainPoint[] {
  const anchors = new Map<string, ChainPoint>();
  readLines(path, (line) => {
    // Most lines are about something else.
    if (!line.includes('"auditHead"')) return;
    const report = reportSchema.safeParse(valueIn(line));
    if (!report.success) return;
    const { auditHead } = report.data;
    const known = anchors.get(auditHead.chain);
    if (known === undefined || known.seq < auditHead.seq) anchors.set(auditHead.chain, auditHead);
  });
  return [...anchors.values()];
}

function valueIn(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
