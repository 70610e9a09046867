// node scripts/fresh-clone.mjs
//
// Does what a newcomer does: clones the repository, starts the server, asks one question in the terminal chat, stops
// the server. Fails if a step fails, or if the clone is not clean afterwards.
// It imports only Node's built-ins: .ci/run starts it before it installs anything.

import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const READY_WITHIN_MS = 600_000;
const ANSWER_WITHIN_MS = 120_000;
const STOP_WITHIN_MS = 60_000;
const LOOK_AGAIN_MS = 250;

const folder = mkdtempSync(join(tmpdir(), 'rehydra-clone-'));
const clone = join(folder, 'rehydra');
const port = await freePort();
// A newcomer has set no variable.
const { REDIS_URL, VLLM_BASE_URL, HOST, DATA_DIR, NODE_ENV, ...env } = process.env;
/** @type {Set<import('node:child_process').ChildProcess>} */
const running = new Set();

try {
  git(['clone', '--quiet', '--no-hardlinks', fileURLToPath(new URL('..', import.meta.url)), clone]);
  const server = npm(['start'], { PORT: String(port) });
  await within(READY_WITHIN_MS, 'the server was never ready', server, untilReady());
  console.log('the server is ready');
  await ask('What does a fever of 39 °C in a child ask for?');
  await stop(server);
  const changes = git(['status', '--porcelain']);
  if (changes !== '')
    fail(`the clone is not clean after a start:\n${changes}${git(['diff', '--stat', '-p'])}`);
  console.log('the clone is clean');
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
} finally {
  // Each child leads its own process group, so that its own children die with it.
  for (const { pid } of running) if (pid !== undefined) process.kill(-pid, 'SIGKILL');
  rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
}

/** @param {string} text @returns {Promise<void>} */
async function ask(text) {
  const url = `ws://127.0.0.1:${port}/v1/session`;
  const chat = npm(['run', '--silent', 'chat', '--', '--url', url]);
  let answer = '';
  chat.stdout?.on('data', (piece) => {
    answer += piece;
  });
  chat.stdin?.end(`${text}\n`);
  const code = await within(
    ANSWER_WITHIN_MS,
    'the chat never ended',
    null,
    once(chat, 'close').then(([c]) => c),
  );
  if (code !== 0) fail(`the chat ended with ${code}`);
  if (answer.trim() === '') fail('the chat showed no answer');
  console.log(`the chat showed an answer of ${answer.trim().length} characters`);
}

/** @param {import('node:child_process').ChildProcess} server */
async function stop(server) {
  const ended = once(server, 'close');
  if (server.pid !== undefined) process.kill(server.pid, 'SIGTERM');
  const [code] = await within(STOP_WITHIN_MS, 'the server did not stop', null, ended);
  if (code !== 0) fail(`the server ended with ${code} after SIGTERM`);
  console.log('the server has stopped');
}

async function untilReady() {
  for (;;) {
    const isReady = await fetch(`http://127.0.0.1:${port}/readyz`).then(
      (response) => response.ok,
      () => false,
    );
    if (isReady) return;
    await new Promise((resolve) => setTimeout(resolve, LOOK_AGAIN_MS));
  }
}

/**
 * @param {readonly string[]} args
 * @param {Readonly<Record<string, string>>} more
 */
function npm(args, more = {}) {
  const child = spawn('npm', args, {
    cwd: clone,
    env: { ...env, ...more },
    stdio: ['pipe', 'pipe', 'inherit'],
    detached: true,
  });
  running.add(child);
  child.once('close', () => running.delete(child));
  child.stdout?.on('data', (piece) => process.stdout.write(piece));
  return child;
}

/**
 * @template T
 * @param {number} ms
 * @param {string} otherwise
 * @param {import('node:child_process').ChildProcess | null} server ends the waiting when it ends
 * @param {Promise<T>} work
 * @returns {Promise<T>}
 */
async function within(ms, otherwise, server, work) {
  /** @type {NodeJS.Timeout | undefined} */
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(otherwise)), ms);
    server?.once('close', (code) => reject(new Error(`the server ended with ${code}`)));
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
    late.catch(() => {});
  }
}

/** @returns {Promise<number>} */
async function freePort() {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (address === null || typeof address === 'string') throw new Error('no port was given');
  return address.port;
}

/** @param {readonly string[]} args */
function git(args) {
  const cwd = args[0] === 'clone' ? folder : clone;
  return execFileSync('git', args, { cwd, encoding: 'utf8' });
}

/** @param {string} message @returns {never} */
function fail(message) {
  throw new Error(message);
}
