/** `npm run audit` checks the audit logs of real instances: killed, rotated, shared and tampered with. */
import { randomUUID } from 'node:crypto';
import { existsSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { AUDIT_KEY } from '../support/audited.ts';
import { ask } from '../support/instance/http.ts';
import { type Instance, runToEnd, startInstance } from '../support/instance/instance.ts';
import { eventually } from '../support/instance/observed.ts';

const QUICK = { SIMULATOR_TOKENS: '6', SIMULATOR_TOKENS_PER_SECOND: '0', AUDIT_KEY };

const folder = mkdtempSync(join(tmpdir(), 'rehydra-chain-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const linesIn = (file: string) => readFileSync(file, 'utf8').split('\n').slice(0, -1);
const audit = (...args: readonly string[]) => runToEnd('audit.js', { AUDIT_KEY }, ['verify', ...args]);

/** Asks until the instance dies; the ids of the sessions whose answers came. */
async function askUntilKilled(instance: Instance, count: number): Promise<readonly string[]> {
  const answered: string[] = [];
  const one = async (): Promise<void> => {
    for (;;) {
      const session_id = randomUUID();
      await ask(instance.http, { session_id, chief_complaint: 'chest pain' });
      answered.push(session_id);
      if (answered.length === count) instance.kill('SIGKILL');
    }
  };
  await Promise.allSettled([one(), one(), one(), one()]);
  await instance.exited;
  return answered;
}

describe('npm run audit', () => {
  it('kill -9 during writing leaves a chain that verifies, over several restarts, with every answered request', async () => {
    const file = join(folder, 'killed.log');
    const answered: string[] = [];
    for (let restart = 0; restart < 3; restart += 1) {
      const instance = await startInstance({ ...QUICK, AUDIT_LOG: file, INSTANCE_ID: 'one' });
      answered.push(...(await askUntilKilled(instance, 20 + 7 * restart)));
      expect(await audit(file)).toMatchObject({ code: 0, stderr: '' });
    }
    const { stdout } = await audit(file);
    expect(stdout.match(/^chain .* of one: .* no stop$/gm)).toHaveLength(3);
    const noted = new Set(
      linesIn(file).map((line) => (JSON.parse(line) as { session_id?: string }).session_id),
    );
    expect(answered.filter((id) => !noted.has(id))).toEqual([]);
  });

  it('a line that kill -9 left unfinished is named by the next start, and the chain verifies', async () => {
    const file = join(folder, 'torn.log');
    const first = await startInstance({ ...QUICK, AUDIT_LOG: file });
    await ask(first.http, { chief_complaint: 'chest pain' });
    first.kill('SIGKILL');
    await first.exited;
    const torn = linesIn(file).at(-1)?.slice(0, 57) ?? '';
    writeFileSync(file, torn, { flag: 'a' });
    expect(await audit(file)).toMatchObject({ code: 1, stdout: expect.stringContaining(':4: cut off') });
    const second = await startInstance({ ...QUICK, AUDIT_LOG: file });
    await ask(second.http, { chief_complaint: 'chest pain' });
    await second.stop();
    const { code, stdout } = await audit(file);
    expect({ code, stdout }).toEqual({
      code: 0,
      stdout: expect.stringMatching(/^note: .*:4: an unfinished line/),
    });
  });

  it('after kill -9 the check says how far the reported heads reach, and after which line a cut would not show', async () => {
    const file = join(folder, 'cut.log');
    const instance = await startInstance({ ...QUICK, AUDIT_LOG: file });
    for (let turn = 0; turn < 2; turn += 1) await ask(instance.http, { chief_complaint: 'chest pain' });
    instance.kill('SIGKILL');
    await instance.exited;
    const log = join(folder, 'cut-service.log');
    writeFileSync(log, instance.logs.join('\n'));
    const lines = linesIn(file).slice(0, -1);
    writeFileSync(file, lines.map((line) => `${line}\n`).join(''));
    const end = `lines cut off after line ${lines.length} (${file}:${lines.length}) would not show`;
    const { code, stdout } = await audit(file, '--log', log);
    expect({ code, stdout }).toEqual({
      code: 0,
      stdout: expect.stringContaining(`the last head outside the chain names line 1: ${end}\n`),
    });
  });

  it('a chain goes on over a rotation, and its files verify in any order', async () => {
    const file = join(folder, 'rotated.log');
    const instance = await startInstance({ ...QUICK, AUDIT_LOG: file });
    for (const turn of [1, 2]) {
      await ask(instance.http, { chief_complaint: 'chest pain' });
      renameSync(file, `${file}.${turn}`);
      instance.kill('SIGHUP');
      await eventually(
        'the head of the new file',
        () => existsSync(file) && linesIn(file).length > 0,
        (isThere) => isThere,
      );
    }
    await instance.stop();
    const log = join(folder, 'rotated-service.log');
    writeFileSync(log, instance.logs.join('\n'));
    expect(await audit(`${file}.2`, file, `${file}.1`, '--log', log)).toMatchObject({ code: 0, stderr: '' });
    const { code, stdout } = await audit(file, `${file}.1`);
    expect(code).toBe(1);
    expect(stdout).toContain('rotated.log.1:3: cut off: lines 4–');
  });

  describe('of a log that was tampered with', () => {
    const file = join(folder, 'whole.log');
    const log = join(folder, 'service.log');
    let whole: readonly string[];

    beforeAll(async () => {
      const instance = await startInstance({ ...QUICK, AUDIT_LOG: file });
      for (let turn = 0; turn < 4; turn += 1) await ask(instance.http, { chief_complaint: 'chest pain' });
      await instance.stop();
      writeFileSync(log, instance.logs.join('\n'));
      whole = linesIn(file);
      expect(whole).toHaveLength(10);
    });

    const tampered: readonly (readonly [string, (lines: string[]) => void, string])[] = [
      [
        'edited',
        (lines) => {
          lines[4] = lines[4]?.replace('127.0.0.1', '127.0.0.2') ?? '';
        },
        ':5: edited:',
      ],
      ['deleted', (lines) => lines.splice(4, 1), ':5: deleted:'],
      ['moved', (lines) => lines.splice(4, 0, ...lines.splice(7, 1)), ':5: moved:'],
      ['cut off', (lines) => lines.splice(7), ':7: cut off:'],
    ];
    it.each(tampered)(
      'it names the first line that was %s, and exits with 1',
      async (name, change, expected) => {
        const copy = join(folder, `${name.replace(' ', '-')}.log`);
        const lines = [...whole];
        change(lines);
        writeFileSync(copy, lines.map((line) => `${line}\n`).join(''));
        const { code, stdout } = await audit(copy, '--log', log);
        expect(code).toBe(1);
        expect(stdout.split('\n')[0]).toContain(`${copy}${expected}`);
      },
    );

    it('the untouched log passes, also against a single head', async () => {
      expect(await audit(file, '--log', log)).toMatchObject({
        code: 0,
        stdout: expect.stringContaining('stopped'),
      });
      const { chain, seq, mac } = JSON.parse(whole.at(-1) ?? '') as Readonly<Record<string, unknown>>;
      expect(await audit(file, '--anchor', `${chain}:${seq}:${mac}`)).toMatchObject({ code: 0 });
    });

    it('another key fits no line, and says so', async () => {
      const other = Buffer.alloc(32, 8).toString('base64');
      const { code, stdout } = await runToEnd('audit.js', { AUDIT_KEY: other }, ['verify', file]);
      expect(code).toBe(1);
      expect(stdout).toContain('is this the key with which the log was written?');
    });

    it('neither the log, nor the service, nor a check prints the key', async () => {
      const { stdout, stderr } = await audit(file);
      const said = [...whole, readFileSync(log, 'utf8'), stdout, stderr].join('\n');
      expect(said).not.toContain(AUDIT_KEY.slice(0, 20));
      const wrong = await runToEnd('audit.js', { AUDIT_KEY: `${AUDIT_KEY}x` }, ['verify', file]);
      expect(wrong).toMatchObject({
        code: 2,
        stderr: expect.stringContaining('AUDIT_KEY is not base64 of 32 bytes'),
      });
      expect(wrong.stderr).not.toContain(AUDIT_KEY.slice(0, 20));
    });
  });

  it('wrong usage exits with 2 and says how it is used, as --help does with 0', async () => {
    for (const args of [[], ['verify'], ['repair', 'x'], ['verify', 'x', '--anchor', 'y']])
      expect(await runToEnd('audit.js', { AUDIT_KEY }, args)).toMatchObject({
        code: 2,
        stderr: expect.stringContaining('usage: npm run audit'),
      });
    expect(await runToEnd('audit.js', {}, ['--help'])).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('usage: npm run audit'),
    });
    expect(await runToEnd('audit.js', {}, ['verify', 'x'])).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('AUDIT_KEY'),
    });
    expect(await audit(join(folder, 'absent.log'))).toMatchObject({ code: 2 });
  });
});
