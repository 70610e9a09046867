/** The commands of the README's section "Put it in front of users" work as they are written, on free ports. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readConfig } from '../../src/config/config.ts';
import { type Environment, type Instance, startInstance } from '../support/instance/instance.ts';
import { adopt } from '../support/instance/processes.ts';

const folder = mkdtempSync(join(tmpdir(), 'rehydra-readme-'));
afterAll(() => rmSync(folder, { recursive: true }));

const section =
  /^## Put it in front of users$[\s\S]*?(?=^## )/m.exec(readFileSync('README.md', 'utf8'))?.[0] ?? '';
/** A reader works in the clone; the test keeps its folder clean. */
const [making = '', starting = '', talking = ''] = [...section.matchAll(/^```sh\n([\s\S]*?)^```$/gm)].map(
  ([, lines = '']) => lines.replaceAll(/\btrial\b/g, join(folder, 'trial')),
);

/** What the `export` lines set. */
function exported(lines: string): Environment {
  const words = lines
    .split('\n')
    .flatMap((line) => (line.startsWith('export ') ? line.split(' ').slice(1) : []));
  return Object.fromEntries(words.map((word) => word.split(/=(.*)/s).slice(0, 2)));
}

/** The shell reads its commands from standard input, as from a terminal: a command that reads it too would swallow the rest. */
async function pasted(
  lines: string,
  shell: string,
): Promise<{ readonly code: number; readonly stdout: string }> {
  const child = spawn(shell, ['-s'], { stdio: ['pipe', 'pipe', 'pipe'] });
  adopt(child);
  let [stdout, stderr] = ['', ''];
  child.stdout.on('data', (chunk: Buffer) => (stdout += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
  child.stdin.end(`set -e\n${lines}`);
  const [code] = (await once(child, 'close')) as [number];
  if (code !== 0) throw new Error(`exit code ${code}: ${stderr}`);
  return { code, stdout };
}

describe('the ten lines of the README', () => {
  let instance: Instance | undefined;
  beforeAll(async () => {
    await pasted(making, 'sh');
    const environment = { ...exported(starting), HOST: '127.0.0.1', ADMIN_PORT: '0' };
    instance = await startInstance({ ...environment, SIMULATOR_TOKENS_PER_SECOND: '0' });
  });
  afterAll(async () => void (await instance?.stop()));

  it('the README makes keys and a certificate, and starts the server, in ten lines', () => {
    const lines = `${making}${starting}`.trimEnd().split('\n');
    expect(lines).toHaveLength(10);
    expect(lines.at(-1)).toBe('npm start');
  });

  it('the settings of the README are complete for an address that others reach', () => {
    const settings = exported(starting);
    expect(settings.HOST).toBe('0.0.0.0');
    expect(readConfig(settings).identity).not.toBeNull();
  });

  it('with the commands of the README a back end chats for a user, an operator sees the store, and the audit log verifies', async () => {
    const { http = '', admin = '' } = instance ?? {};
    const ported = talking
      .replaceAll('localhost:8080', `localhost:${new URL(http).port}`)
      .replaceAll('localhost:9090', `localhost:${new URL(admin).port}`);
    expect(ported).not.toBe(talking);
    const { stdout } = await pasted(ported, 'sh');
    expect(stdout).toContain('You said: hello');
    expect(stdout).toMatch(/^\{"count":1,.*"user_id":"ana"/m);
    expect(stdout).toMatch(/^\{"status":"ok",.*"store":\{"ok":true/m);
    expect(stdout).toMatch(/^unchanged: \d+ lines$/m);
  });
});
