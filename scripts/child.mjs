// Runs a command as if it were this process: same terminal, same signals, same exit code.

import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { constants } from 'node:os';
import { delimiter, join } from 'node:path';

const isWindows = process.platform === 'win32';

/**
 * @param {string} root
 * @param {readonly string[]} command
 * @param {import('node:child_process').StdioOptions} stdio
 * @returns {Promise<number>} the exit code, or 128 + n where signal n ended it
 */
export function runChild(root, [name, ...args], stdio = 'inherit') {
  const bin = join(root, 'node_modules', '.bin');
  const local = join(bin, isWindows ? `${name}.cmd` : name);
  const file = name === 'node' ? process.execPath : existsSync(local) ? local : name;
  const child = spawn(file, args, {
    stdio,
    env: { ...process.env, PATH: `${bin}${delimiter}${process.env.PATH ?? ''}` },
    shell: isWindows && file !== process.execPath,
  });

  /** @param {NodeJS.Signals} signal */
  const forward = (signal) => {
    // Ctrl-C on a terminal reaches the whole foreground group. A forwarded signal would be the child's second one,
    // which means "stop draining, exit now".
    if (signal === 'SIGINT' && process.stdin.isTTY) return;
    child.kill(signal);
  };
  process.on('SIGINT', forward);
  process.on('SIGTERM', forward);

  return new Promise((resolve) => {
    /** @param {number} code */
    const end = (code) => {
      process.off('SIGINT', forward);
      process.off('SIGTERM', forward);
      resolve(code);
    };
    child.once('error', (error) => {
      console.error(`rehydra: could not run "${name}": ${error.message}`);
      end(127);
    });
    child.once('exit', (code, signal) => end(code ?? 128 + (constants.signals[signal] ?? 0)));
  });
}
