// npm run test:engine -- --url http://127.0.0.1:8011/v1 [--second URL] [--pid N] [--report FILE]
// npm run test:engine -- --start vllm [--question TEXT] [--report FILE]
//
// Runs test/engine against a model server: one that runs already, or one that the tests start and may kill.

import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { runChild } from './child.mjs';

const USAGE = `usage: npm run test:engine -- --url URL | --start ENGINE

  --url URL        an OpenAI-compatible server that runs, with its /v1
  --second URL     another one with the same model: an answer must move to it when the first one is killed
  --pid N          process of the first server; without it, a server given by --url is not killed
  --start ENGINE   start it: simulator, vllm, llamacpp or transformers (see scripts/real-engine.sh)
  --question TEXT  what the model is asked where answers are compared; its greedy answer must be the same each time
  --cuts N         places where each kind of continuation is cut (24); fewer for a slow server
  --report FILE    also write what the server gives, and every result, to this file
`;

process.exitCode = await main();

/** @returns {Promise<number>} */
async function main() {
  const options = read();
  if (typeof options === 'string') {
    process.stderr.write(`${options}${USAGE}`);
    return options === '' ? 0 : 2;
  }
  const { url, second, pid, start, question, cuts, report } = options;
  Object.assign(process.env, {
    ENGINE_URL: url ?? '',
    ENGINE_SECOND_URL: second ?? '',
    ENGINE_PID: pid ?? '',
    ENGINE_START: start ?? '',
    ENGINE_QUESTION: question ?? '',
    ENGINE_CUTS: cuts ?? '24',
    ENGINE_REPORT: report ?? '',
  });
  const root = fileURLToPath(new URL('..', import.meta.url));
  return runChild(root, ['vitest', 'run', '--config', 'vitest.engine.config.ts']);
}

/** The options, or the reason why they cannot be used; '' asks for the usage only. */
function read() {
  const string = /** @type {const} */ ({ type: 'string' });
  try {
    const { values } = parseArgs({
      options: {
        url: string,
        second: string,
        pid: string,
        start: string,
        question: string,
        cuts: string,
        report: string,
        help: { type: 'boolean' },
      },
    });
    if (values.help === true) return '';
    if ((values.url === undefined) === (values.start === undefined))
      return 'give either --url or --start\n\n';
    if (values.pid !== undefined && !/^[1-9]\d*$/.test(values.pid)) return '--pid takes a process id\n\n';
    if (values.cuts !== undefined && !/^[1-9]\d*$/.test(values.cuts))
      return '--cuts takes a number above 0\n\n';
    return values;
  } catch (error) {
    return `${error instanceof Error ? error.message : error}\n\n`;
  }
}
