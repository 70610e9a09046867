/**
 * Python with packages of its registry, in a temporary folder: the machine's own Python stays as it is.
 *
 *  PYTHON-1  The folder is removed with `stop`, and no compiled file appears beside the sources.
 */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { adopt } from './processes.ts';

const run = promisify(execFile);
const missing =
  'no Python 3.11 with venv and pip for the tests: install it (apt-get install python3 python3-venv)';

export interface Python {
  /** Starts a file of the repository; the process ends with this one. */
  start(file: string, args: readonly string[], environment: Readonly<Record<string, string>>): ChildProcess;
  stop(): void;
}

export async function startPython(packages: readonly string[]): Promise<Python> {
  const folder = mkdtempSync(join(tmpdir(), 'rehydra-python-'));
  const program = join(folder, 'bin', 'python');
  const stop = (): void => rmSync(folder, { recursive: true, force: true });
  try {
    await run('python3', ['-c', 'import sys; assert sys.version_info >= (3, 11)']);
    await run('python3', ['-m', 'venv', folder]);
  } catch (cause) {
    stop();
    throw new Error(missing, { cause });
  }
  try {
    await run(program, ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', ...packages]);
  } catch (cause) {
    stop();
    throw new Error(`pip could not install ${packages.join(', ')} for the tests`, { cause });
  }
  return {
    start(file, args, environment) {
      const child = spawn(program, ['-B', file, ...args], {
        env: { PATH: process.env.PATH ?? '', ...environment },
        stdio: ['ignore', 'pipe', 'pipe'],
      });
      adopt(child);
      return child;
    },
    stop,
  };
}
