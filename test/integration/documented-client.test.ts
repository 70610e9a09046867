/** The programs of the README and of CLIENT run as they are written, on every Node, and end without help. */
import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, expect, it } from 'vitest';
import { startInstance } from '../support/instance/instance.ts';
import { started } from '../support/instance/started.ts';

const DEFAULT_URL = 'ws://127.0.0.1:8080';
const [instance] = started(() => startInstance({ SIMULATOR_TOKENS: '12', SIMULATOR_TOKENS_PER_SECOND: '0' }));

/** A folder that has the built package and `ws` installed, and nothing else. */
const folder = mkdtempSync(join(tmpdir(), 'rehydra-program-'));
mkdirSync(join(folder, 'node_modules'));
for (const [name, path] of [
  ['rehydra', 'dist/package'],
  ['ws', 'node_modules/ws'],
] as const)
  symlinkSync(resolve(path), join(folder, 'node_modules', name));
afterAll(() => rmSync(folder, { recursive: true }));

/** The whole programs of a document: blocks that import what they use. */
const programsOf = (document: string): readonly string[] =>
  [...readFileSync(document, 'utf8').matchAll(/^```js\n(import [\s\S]*?)^```$/gm)].map(
    ([, text = '']) => text,
  );

async function printedBy(program: string): Promise<string> {
  expect(program).toContain(DEFAULT_URL);
  const file = join(folder, 'program.mjs');
  writeFileSync(file, program.replace(DEFAULT_URL, instance.http));
  const { stdout } = await promisify(execFile)(process.execPath, [file], { timeout: 30_000 });
  return stdout;
}

it('the program of the README prints an answer and ends', async () => {
  const [program = '', ...others] = programsOf('README.md');
  expect(others).toEqual([]);
  expect(await printedBy(program)).toContain('You said: hello');
});

it('the programs of CLIENT.md stream an answer, edit a question and continue a fork', async () => {
  const [stream = '', branch = '', ...others] = programsOf('docs/CLIENT.md');
  expect(others).toEqual([]);
  expect(await printedBy(stream)).toContain('completed');
  const answers = (await printedBy(branch)).split('You said: ').slice(1);
  expect(answers).toHaveLength(3);
  expect(answers[1]).toMatch(/^good morning/);
  expect(answers[2]).toMatch(/^and now[\s\S]*Earlier you told me: good morning/);
});
