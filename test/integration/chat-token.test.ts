/** The terminal chat and SessionClient prove their user to real instances, and keep their session when a token ends. */
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import type { ClientEvent } from '../../src/client/session.ts';
import { openSession } from '../../src/client/session-client.ts';
import { newIdentities } from '../support/instance/identities.ts';
import { type Ended, type Environment, spawnBuilt, startInstance } from '../support/instance/instance.ts';
import { eventually } from '../support/instance/observed.ts';
import { startRedis } from '../support/instance/redis-server.ts';
import { started } from '../support/instance/started.ts';

/** Clocks may differ by this much, so a token counts so long after its end. */
const SKEW_SECONDS = 30;

const folder = await mkdtemp(join(tmpdir(), 'rehydra-chat-token-'));
const identities = newIdentities();
const kiosk = identities.apiKey('kiosk', 'user');
afterAll(async () => {
  identities.close();
  await rm(folder, { recursive: true, force: true });
});
const [redis] = started(startRedis);
const launch = () =>
  startInstance({
    ...identities.environment,
    REDIS_URL: redis.url,
    SIMULATOR_TOKENS: '6',
    SIMULATOR_TOKENS_PER_SECOND: '0',
  });
const [one, two] = started(launch, launch);

/** Runs the chat with these lines in its pipe. */
async function chat(
  args: readonly string[],
  environment: Environment,
  lines: readonly string[] = [],
): Promise<Ended> {
  const child = spawnBuilt('chat.js', args, environment);
  const said = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr'] as const)
    child[name]?.on('data', (chunk: Buffer) => {
      said[name] += chunk.toString();
    });
  child.stdin?.end(lines.map((line) => `${line}\n`).join(''));
  const [code] = (await once(child, 'close')) as [number | null];
  return { code, ...said };
}

function fileWith(name: string, text: string): string {
  const path = join(folder, name);
  writeFileSync(path, text, { mode: 0o600 });
  return path;
}

describe('the terminal chat with a token', () => {
  it('the chat proves its user by a file, and its resume command names the file and not the token', async () => {
    const token = await identities.token('carl');
    const file = fileWith('token', `${token}\n`);
    const first = await chat(['--url', one.url, '--token-file', file], {}, ['My knee hurts']);
    expect(first).toMatchObject({ code: 0, stdout: expect.stringContaining('You said: My knee hurts') });
    const resume = /resume it anywhere: npm run chat -- (.*)/.exec(first.stderr)?.[1]?.split(' ') ?? [];
    expect(resume).toContain('--token-file');
    expect(first.stderr).not.toContain(token);

    const second = await chat(resume, {}, ['And now?']);
    expect(second).toMatchObject({ code: 0, stderr: expect.stringContaining('resumed session') });
    const foreign = await chat(resume.slice(0, -2), { REHYDRA_TOKEN: kiosk });
    expect(foreign.stderr).toContain('session_not_found');
    expect(foreign.stderr).not.toContain('My knee hurts');
  });

  it('the chat proves its user by REHYDRA_TOKEN', async () => {
    expect(await chat(['--url', one.url], { REHYDRA_TOKEN: kiosk }, ['My elbow hurts'])).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('You said: My elbow hurts'),
    });
  });

  it('the chat without a valid token ends at once, and says how to give one', async () => {
    const expired = await identities.token('carl', { endsInSeconds: -600 });
    for (const environment of [{}, { REHYDRA_TOKEN: expired }]) {
      const { code, stdout, stderr } = await chat(['--url', one.url], environment, ['My knee hurts']);
      expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
      expect(stderr.trim().split('\n')).toEqual([
        expect.stringContaining('unauthenticated'),
        '· the server needs a valid token: name its file with --token-file, or set REHYDRA_TOKEN',
      ]);
    }
  });

  it('the chat that resumes an unknown session with a token says so, and starts a new one', async () => {
    const unknown = '0b9b1f0e-5d0c-4c53-9d57-2f7a3f9d8a11';
    const args = ['--url', one.url, '--session', unknown];
    const { code, stderr } = await chat(args, { REHYDRA_TOKEN: kiosk }, ['My knee hurts']);
    expect(code).toBe(0);
    expect(stderr).toMatch(/new session [0-9a-f-]{36} on /);
    expect(stderr).not.toContain(`new session ${unknown}`);
    expect(stderr).toContain('there was no session with this id');
  });

  it.each([
    ['is missing', join(folder, 'missing'), 'cannot be read: ENOENT'],
    ['is empty', fileWith('empty', '\n'), 'is empty'],
  ])('the chat reports in one line that its token file %s', async (_, file, why) => {
    const { code, stderr } = await chat(['--token-file', file], {});
    expect(code).toBe(2);
    expect(stderr.trim().split('\n')).toEqual([expect.stringContaining(`--token-file ${file} ${why}`)]);
  });
});

describe('SessionClient on two instances', () => {
  /** A client whose n-th request for a token `issue` answers. */
  function client(issue: (count: number) => Promise<string>) {
    const events: ClientEvent[] = [];
    let asked = 0;
    const session = openSession({
      urls: [one.url, two.url],
      connect: (url) => new WebSocket(url),
      onEvent: (event) => events.push(event),
      token: () => {
        asked += 1;
        return issue(asked);
      },
    });
    const has = (what: string, holds: () => boolean) => eventually(what, holds, (is) => is);
    const welcomes = () => events.flatMap((event) => (event.type === 'welcomed' ? [event.welcome] : []));
    return { session, events, welcomes, asked: () => asked, has };
  }

  it('a client that renews its short tokens keeps one connection beyond the end of the first', async () => {
    const { session, welcomes, asked, has, events } = client(() =>
      identities.token('rosa', { endsInSeconds: 5 - SKEW_SECONDS }),
    );
    await has('three tokens', () => asked() >= 3);
    const end = welcomes()[0]?.identity_expires_at ?? Number.POSITIVE_INFINITY;
    await has('the end of the first token', () => Date.now() > end + 2_000);
    session.send('still here', { id: 'm' });
    await has('the answer', () => session.conversation.turns[0]?.outcome.kind === 'completed');
    expect(welcomes()).toHaveLength(1);
    expect(events.map(({ type }) => type)).not.toContain('lost');
    session.stop();
  });

  it('a client whose token ended resumes its session at another instance with a new one, without gap or repeat', async () => {
    const { session, welcomes, has, events } = client(async (count) => {
      if (count === 1) return identities.token('olga', { endsInSeconds: 4 - SKEW_SECONDS });
      if (events.some(({ type }) => type === 'lost')) return identities.token('olga');
      throw new Error('not yet');
    });
    await has('the welcome', () => session.connected);
    session.send('My knee hurts', { id: 'm' });
    await has('the answer', () => session.conversation.turns[0]?.outcome.kind === 'completed');
    await has('the second welcome', () => welcomes().length === 2);
    expect(events.find(({ type }) => type === 'lost')).toMatchObject({ code: 4002 });
    const [first, second] = welcomes();
    expect(second).toMatchObject({ session_id: first?.session_id, resumed: true, instance: two.instanceId });
    session.send('And my elbow', { id: 'n' });
    await has('the second answer', () => session.conversation.turns[1]?.outcome.kind === 'completed');
    expect(events.map(({ type }) => type)).not.toContain('gap');
    expect(events.map(({ type }) => type)).not.toContain('reset');
    session.stop();
  });

  it('a client of a disabled user ends for good, whatever its provider gives', async () => {
    const { session, events, has } = client(() => identities.token('mallory'));
    await has('the welcome', () => session.connected);
    identities.disable({ subject: 'mallory' });
    await has('the end', () => events.at(-1)?.type === 'over');
    expect(events.at(-1)).toMatchObject({ type: 'over', why: 'fatal', code: 4001 });
    identities.disable();
  });
});
