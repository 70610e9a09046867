// Writes the tables of docs/ from the schemas, the error table and the guarantees, and checks docs/COVERAGE.md.
// `--check` writes nothing and fails when a document is stale.
import { readFileSync, writeFileSync } from 'node:fs';
import { configurationDocument } from './docs/configuration.ts';
import { coverageFaults } from './docs/coverage.ts';
import { errorsDocument } from './docs/errors.ts';
import { guaranteesDocument } from './docs/guarantees.ts';
import { httpDocument } from './docs/http.ts';
import { licenceFaults, licencesDocument } from './docs/licences.ts';
import { permissionsDocument } from './docs/permissions.ts';
import { protocolDocument } from './docs/protocol.ts';
import { composeWithRights, operationsWithRights } from './docs/redis-rights.ts';
import { threatFaults } from './docs/threats/faults.ts';
import { threatsDocument } from './docs/threats/page.ts';

const documents: Readonly<Record<string, () => string>> = {
  'docs/CONFIGURATION.md': configurationDocument,
  'docs/ERRORS.md': errorsDocument,
  'docs/GUARANTEES.md': guaranteesDocument,
  'docs/HTTP.md': httpDocument,
  'docs/LICENCES.md': licencesDocument,
  'docs/OPERATIONS.md': operationsWithRights,
  'docs/PERMISSIONS.md': permissionsDocument,
  'docs/PROTOCOL.md': protocolDocument,
  'docs/THREATS.md': threatsDocument,
  'docker-compose.yml': composeWithRights,
};

const check = process.argv.includes('--check');
const faults: string[] = [...coverageFaults(), ...licenceFaults(), ...threatFaults()];
for (const [path, write] of Object.entries(documents)) {
  const wanted = write();
  if (!check) writeFileSync(path, wanted);
  else if (read(path) !== wanted) faults.push(`${path} is stale; refresh it with: npm run docs`);
}
for (const fault of faults) console.error(fault);
process.exitCode = faults.length > 0 ? 1 : 0;

function read(path: string): string | null {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return null;
  }
}
