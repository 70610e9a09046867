// npm run test:engine -- --url http://127.0.0.1:8011/v1 [--second URL] [--pid N] [--report FILE]
// npm run test:engine -- --start vllm [--question TEXT] [--report FILE]
//
// Runs test/engine against a running model server, or against one that the tests start and may kill.

import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { runChild } from './child.mjs';

const USAGE = `usage: npm run test:engine -- --url URL | --start ENGINE

  --url URL        a running OpenAI-compatible server, with its /v1
  --second URL     another server with the same model: an answer must move to it when the first one dies
  --pid N          process of the server of --url; without it, the tests do not kill that server
  --start ENGINE   server to start: simulator, vllm, llamacpp or transformers (see scripts/real-engine.sh)
  --question TEXT  question for comparing answers; its greedy answer must be the same each time
  --cuts N         number of cuts for each kind of continuation (24); use fewer for a slow server
  --report FILE    also write the server's features, and every result, to this file
`;

const OPTIONS = ['url', 'second', 'pid', 'start', 'question', 'cuts', 'report'];

process.exitCode = await main();

/** @returns {Promise<number>} */
async function main() {
  const options = read();
  if (typeof options === 'string') {
    process.stderr.write(`${options}${USAGE}`);
    return options === '' ? 0 : 2;
  }
  for (const name of OPTIONS) process.env[`ENGINE_${name.toUpperCase()}`] = options[name] ?? '';
  const root = fileURLToPath(new URL('..', import.meta.url));
  return runChild(root, ['vitest', 'run', '--config', 'vitest.engine.config.ts']);
}

/** The options, or the reason to refuse them; '' prints only the usage. */
function read() {
  try {
    const known = Object.fromEntries(
      OPTIONS.map((name) => [name, { type: /** @type {const} */ ('string') }]),
    );
    const { values } = parseArgs({ options: { ...known, help: { type: 'boolean' } } });
    const { url, start, pid, cuts = '24' } = values;
    if (values.help === true) return '';
    if ((url === undefined) === (start === undefined)) return 'give either --url or --start\n\n';
    if (pid !== undefined && !/^[1-9]\d*$/.test(pid)) return '--pid takes a process id\n\n';
    if (!/^[1-9]\d*$/.test(cuts)) return '--cuts takes a number above 0\n\n';
    return { ...values, cuts };
  } catch (error) {
    return `${error instanceof Error ? error.message : error}\n\n`;
  }
}
