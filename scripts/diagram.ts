// npm run diagram [-- --check]
//
// Draws the session machine into docs/diagrams: session.json (the description, which a review compares), session.mmd
// (Mermaid) and session.svg. With --check it writes nothing, names stale files and exits with 1.

import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { sessionMachine } from '../machines/session.ts';
import { MACHINE_VERSION } from '../machines/versions.ts';
import { describe } from './diagram/describe.ts';
import { layOut } from './diagram/layout.ts';
import { drawMermaid } from './diagram/mermaid.ts';
import { drawSvg } from './diagram/svg.ts';

const folder = fileURLToPath(new URL('../docs/diagrams', import.meta.url));

const description = describe(sessionMachine, MACHINE_VERSION);
const drawings: Readonly<Record<string, string>> = {
  'session.json': `${JSON.stringify(description, null, 2)}\n`,
  'session.mmd': drawMermaid(description),
  'session.svg': drawSvg(
    await layOut(description),
    `The ${description.machine} machine, version ${description.version}`,
  ),
};

if (process.argv.includes('--check')) {
  const stale = Object.keys(drawings).filter((name) => stored(name) !== drawings[name]);
  if (stale.length > 0)
    console.log(`docs/diagrams is stale: ${stale.join(', ')}; refresh it with: npm run diagram`);
  process.exitCode = stale.length > 0 ? 1 : 0;
} else {
  mkdirSync(folder, { recursive: true });
  for (const [name, content] of Object.entries(drawings)) writeFileSync(join(folder, name), content);
  console.log(`docs/diagrams: ${Object.keys(drawings).join(', ')}`);
}

function stored(name: string): string | null {
  try {
    // A checkout on Windows may have changed the line ends.
    return readFileSync(join(folder, name), 'utf8').replaceAll('\r\n', '\n');
  } catch {
    return null;
  }
}
