import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

const root = fileURLToPath(new URL('../../..', import.meta.url));

function run(file: string, args: readonly string[], env: Readonly<Record<string, string>> = {}) {
  const { status, stderr, stdout } = spawnSync(file, args, {
    cwd: root,
    encoding: 'utf8',
    env: { PATH: process.env.PATH ?? '', HOME: process.env.HOME ?? '', ...env },
  });
  return { status, stderr, stdout };
}

describe('scripts/real-engine.sh', () => {
  it('real-engine.sh reports a missing Python in one line, and writes nothing', () => {
    const dir = mkdtempSync(join(tmpdir(), 'rehydra-real-engine-'));
    const { status, stderr } = run('scripts/real-engine.sh', ['vllm', '--dir', dir], {
      PYTHON: '/no/python3',
    });
    expect(status).toBe(1);
    expect(stderr.trim().split('\n')).toEqual([expect.stringContaining('Python is missing')]);
    expect(readdirSync(dir)).toEqual([]);
    rmSync(dir, { recursive: true });
  });

  it('real-engine.sh answers an unknown engine with its usage', () => {
    const { status, stderr } = run('scripts/real-engine.sh', ['gpt']);
    expect(status).toBe(2);
    expect(stderr).toContain('vllm|llamacpp');
  });
});

describe('npm run test:engine', () => {
  const engineTests = (...args: string[]) => run(process.execPath, ['scripts/test-engine.mjs', ...args]);

  it('test:engine without a server names the options that take one', () => {
    const { status, stderr } = engineTests();
    expect(status).toBe(2);
    expect(stderr).toContain('--url');
  });

  it('test:engine refuses a pid that is no process id', () => {
    const { status, stderr } = engineTests('--url', 'http://127.0.0.1:9/v1', '--pid', '-1');
    expect(status).toBe(2);
    expect(stderr).toContain('--pid');
  });
});
