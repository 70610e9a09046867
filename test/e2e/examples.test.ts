/** Runs the programs of examples/ as a reader does, against an instance with the built-in simulator. */
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { newIdentities } from '../support/instance/identities.ts';
import { startInstance } from '../support/instance/instance.ts';
import { freePort } from '../support/instance/processes.ts';
import { started } from '../support/instance/started.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const run = promisify(execFile);

const [instance] = started(() => startInstance({ SIMULATOR_TOKENS: '24', SIMULATOR_TOKENS_PER_SECOND: '0' }));

async function example(
  name: string,
  url = `${instance.http}/`,
  more: Readonly<Record<string, string>> = {},
): Promise<string> {
  const { stdout } = await run(process.execPath, ['--import', 'tsx', 'examples/main.ts', name], {
    cwd: root,
    env: { PATH: process.env.PATH, REHYDRA_URL: url, ...more },
  });
  return stdout;
}

/** The answer of each turn, and what the session then knew of the patient. */
const answersIn = (printed: string) =>
  [...printed.matchAll(/^Rehydra: (.*)$/gm)].map(([, text = '']) => text);
const knownIn = (printed: string) =>
  [...printed.matchAll(/^\(known: (.*)\)$/gm)].map(([, text = '']) => text);

describe.each([
  ['follow-up', ['fever and cough', 'bilateral infiltrates', 'hypoxic'], ['"age":60', '"spo2":"88 %"']],
  [
    'iterative-diagnosis',
    ['chest pain', 'crushing substernal pain', 'diabetes'],
    ['"blood_pressure":"140/90"', 'diabetes; hypertension'],
  ],
  ['refinement', ['sepsis', 'lactate still', 'blood cultures positive'], ['"blood_pressure":"85/50"']],
])('the example %s', (name, words, known) => {
  it(`in the example ${name} each later answer has seen the earlier words`, async () => {
    const printed = await example(name);
    const answers = answersIn(printed);
    expect(answers).toHaveLength(words.length);
    for (const [turn, answer] of answers.entries())
      for (const word of words.slice(0, turn + 1)) expect(answer.toLowerCase()).toContain(word.toLowerCase());
    for (const fact of known) expect(knownIn(printed).at(-1)).toContain(fact);
    expect(printed).toContain('(turn 3, ');
    expect(printed).toContain('SIMULATED');
    const [link = ''] = /http\S+$/m.exec(printed) ?? [];
    expect(await (await fetch(link)).text()).toContain(words[0]);
  });
});

it('an example with the API key of a back end runs against a service with AUTH, and without it names what is missing', async () => {
  const identities = newIdentities();
  const token = identities.apiKey('clinic', 'service');
  const proving = await startInstance({ ...identities.environment, SIMULATOR_TOKENS_PER_SECOND: '0' });
  expect(answersIn(await example('follow-up', proving.http, { REHYDRA_TOKEN: token }))).toHaveLength(3);
  await expect(example('follow-up', proving.http)).rejects.toMatchObject({
    code: 1,
    stderr: expect.stringContaining('REHYDRA_TOKEN'),
  });
  await proving.stop();
  identities.close();
});

it('an unknown example ends with a list of the known ones', async () => {
  await expect(example('surgery')).rejects.toMatchObject({
    code: 2,
    stderr: expect.stringContaining('iterative-diagnosis'),
  });
});

it('an example without a server ends with one line and code 1', async () => {
  const url = `http://127.0.0.1:${await freePort()}`;
  await expect(example('refinement', url)).rejects.toMatchObject({
    code: 1,
    stderr: expect.stringMatching(/^no answer from http:\/\/127\.0\.0\.1:\d+ \(ECONNREFUSED\).*\n$/),
  });
});
