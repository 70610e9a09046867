// npm run diagram [-- --check | export FOLDER]
//
// Draws the session machine into docs/diagrams and writes docs/STATECHART.md. `export` writes the same files to another
// folder. With --check it writes nothing, names stale files and exits with 1.

import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { chartFiles } from './diagram/files.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
const [command, ...args] = process.argv.slice(2);

switch (command) {
  case '--check':
    process.exitCode = await check();
    break;
  case 'export':
    await exportTo(args[0] ?? '.');
    break;
  case undefined:
    for (const [path, content] of Object.entries(await chartFiles()))
      writeFileSync(join(root, path), content);
    break;
  default:
    console.error(`unknown: ${command}; see the head of scripts/diagram.ts`);
    process.exitCode = 2;
}

async function check(): Promise<number> {
  const files = await chartFiles();
  const stale = Object.keys(files).filter((path) => stored(path) !== files[path]);
  for (const path of stale) console.log(`${path} is stale; refresh it with: npm run diagram`);
  return stale.length > 0 ? 1 : 0;
}

async function exportTo(folder: string): Promise<void> {
  mkdirSync(folder, { recursive: true });
  for (const [path, content] of Object.entries(await chartFiles())) {
    if (!path.startsWith('docs/diagrams/')) continue;
    writeFileSync(join(folder, basename(path)), content);
    console.log(join(folder, basename(path)));
  }
}

function stored(path: string): string | null {
  try {
    // A checkout on Windows may have changed the line ends.
    return readFileSync(join(root, path), 'utf8').replaceAll('\r\n', '\n');
  } catch {
    return null;
  }
}
