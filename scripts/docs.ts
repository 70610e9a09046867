// Writes the tables of docs/ from the schemas, the error table and the guarantees; `--check` only compares.
import { readFileSync, writeFileSync } from 'node:fs';
import { configurationDocument } from './docs/configuration.ts';
import { coverageDocument } from './docs/coverage.ts';
import { errorsDocument } from './docs/errors.ts';
import { guaranteesDocument } from './docs/guarantees.ts';
import { httpDocument } from './docs/http.ts';
import { protocolDocument } from './docs/protocol.ts';

const documents: Readonly<Record<string, () => string>> = {
  'docs/CONFIGURATION.md': configurationDocument,
  'docs/COVERAGE.md': coverageDocument,
  'docs/ERRORS.md': errorsDocument,
  'docs/GUARANTEES.md': guaranteesDocument,
  'docs/HTTP.md': httpDocument,
  'docs/PROTOCOL.md': protocolDocument,
};

const stale: string[] = [];
for (const [path, write] of Object.entries(documents)) {
  const wanted = write();
  if (process.argv.includes('--check')) {
    if (read(path) !== wanted) stale.push(path);
  } else writeFileSync(path, wanted);
}
if (stale.length > 0) {
  console.error(`stale: ${stale.join(', ')}; refresh with: npm run docs`);
  process.exitCode = 1;
}

function read(path: string): string | null {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return null;
  }
}
