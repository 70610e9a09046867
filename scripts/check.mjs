// Checks the tree without running the service. It prints the output of failed checks only.

import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const bin = join(root, 'node_modules', '.bin');
/** tsc keeps its results here: the next run takes a tenth of the time. */
const typesSeen = join(root, 'node_modules', '.rehydra', 'types.tsbuildinfo');

const checks = [
  { name: 'format and lint', command: ['biome', 'check', '--error-on-warnings'] },
  { name: 'types', command: ['tsc', '--noEmit', '--incremental', '--tsBuildInfoFile', typesSeen] },
  { name: 'types (page)', command: ['tsc', '-p', 'tsconfig.page.json'] },
  { name: 'dead code', command: ['knip', '--no-progress'] },
  { name: 'imports', command: ['depcruise', 'src', 'machines'] },
  { name: 'diagram', command: ['tsx', 'scripts/diagram.ts', '--check'] },
  { name: 'documents', command: ['tsx', 'scripts/docs.ts', '--check'] },
];

const failed = [];
for (const { name, command } of checks) {
  const { ok, output } = await outcome(command);
  console.log(`${name.padEnd(16)} ${ok ? 'ok' : 'FAILED'}`);
  if (ok) continue;
  failed.push(name);
  console.log(`\n${output.trim()}\n`);
}
if (failed.length > 0) console.log(`failed: ${failed.join(', ')}`);
process.exitCode = failed.length > 0 ? 1 : 0;

/** @param {readonly string[]} command @returns {Promise<{ ok: boolean, output: string }>} */
function outcome([name, ...args]) {
  return new Promise((resolve) => {
    const child = spawn(join(bin, name), args, {
      cwd: root,
      stdio: ['ignore', 'pipe', 'pipe'],
      shell: process.platform === 'win32',
    });
    let output = '';
    child.stdout.on('data', (chunk) => {
      output += chunk;
    });
    child.stderr.on('data', (chunk) => {
      output += chunk;
    });
    child.once('error', (error) => resolve({ ok: false, output: error.message }));
    child.once('close', (code) => resolve({ ok: code === 0, output }));
  });
}
