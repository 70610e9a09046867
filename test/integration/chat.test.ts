import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { type Environment, type Instance, spawnBuilt, startInstance } from '../support/instance/instance.ts';
import { freePort } from '../support/instance/processes.ts';

const instances: Instance[] = [];
const folders: string[] = [];

async function start(environment: Environment = {}): Promise<Instance> {
  const instance = await startInstance(environment);
  instances.push(instance);
  return instance;
}

/**
 * The settings of an instance that restarts at its old port. uWebSockets.js binds a port that the kernel chose without
 * SO_REUSEADDR, and the connections of the killed instance block it for a minute.
 */
async function restartable(): Promise<Environment> {
  const path = await mkdtemp(join(tmpdir(), 'rehydra-chat-'));
  folders.push(path);
  return { DATA_DIR: path, PORT: String(await freePort()), LEASE_MS: '1000' };
}

interface Chat {
  /** The answers so far, and the notes about them. */
  answers(): string;
  notes(): string;
  /** Resolves once the notes or answers match; rejects if the program ends before. */
  shows(pattern: RegExp): Promise<void>;
  /** Ends the input and waits for the exit code. */
  finish(): Promise<number | null>;
}

/** Starts the terminal chat with these lines in its pipe. */
function chat(args: readonly string[], lines: readonly string[]): Chat {
  const child = spawnBuilt('chat.js', args, {});
  let answers = '';
  let notes = '';
  child.stdout?.on('data', (chunk: Buffer) => {
    answers += chunk;
  });
  child.stderr?.on('data', (chunk: Buffer) => {
    notes += chunk;
  });
  for (const line of lines) child.stdin?.write(`${line}\n`);
  const closed = once(child, 'close');
  return {
    answers: () => answers,
    notes: () => notes,
    shows: (pattern) =>
      new Promise((resolve, reject) => {
        const check = (): void => {
          if (pattern.test(answers) || pattern.test(notes)) resolve();
        };
        child.stdout?.on('data', check);
        child.stderr?.on('data', check);
        void closed.then(() => reject(new Error(`${pattern} never came:\n${notes}\n${answers}`)));
        check();
      }),
    async finish() {
      child.stdin?.end();
      const [code] = await closed;
      return code;
    },
  };
}

function sessionIn(notes: string): string {
  const id = /session ([0-9a-f-]{36}) on /.exec(notes)?.[1];
  if (id === undefined) throw new Error(`no session id in:\n${notes}`);
  return id;
}

afterEach(async () => {
  await Promise.all(instances.splice(0).map((instance) => instance.stop()));
  await Promise.all(folders.splice(0).map((path) => rm(path, { recursive: true, force: true })));
});

describe('the terminal chat', () => {
  it('the chat answers each line of a pipe, and the model knows the lines before', async () => {
    const { url } = await start();
    const talk = chat(
      ['--url', url],
      ['I have had fever and a cough since Monday', 'Is that dangerous for me'],
    );
    expect(await talk.finish()).toBe(0);
    const [first = '', second = ''] = talk.answers().split('You said: ').slice(1);
    expect(first).toMatch(/^I have had fever and a cough since/);
    expect(second).toMatch(/^Is that dangerous for me/);
    expect(second).toContain('Earlier you told me: I have had fever and');
    expect(talk.answers()).not.toContain('\x1b');
  });

  it('the chat resumes a session by its id after a restart of the server', async () => {
    const environment = await restartable();
    const before = await start(environment);
    const first = chat(['--url', before.url], ['I fell on my left wrist yesterday']);
    expect(await first.finish()).toBe(0);
    expect(await before.stop()).toBe(0);

    const after = await start(environment);
    const second = chat(
      ['--url', after.url, '--session', sessionIn(first.notes())],
      ['Can I go climbing again'],
    );
    expect(await second.finish()).toBe(0);
    expect(second.answers().startsWith(first.answers())).toBe(true);
    const added = second.answers().slice(first.answers().length);
    expect(added).toMatch(/^\[SIMULATED\] You said: Can I go climbing again/);
    expect(added).toContain('Earlier you told me: I fell on my left');
    expect(second.notes()).toContain('you: I fell on my left wrist yesterday');
  });

  it('the chat resumes a session that has a user only under the name of that user', async () => {
    const { url } = await start();
    const first = chat(['--url', url, '--user', 'ann'], ['My knee hurts']);
    expect(await first.finish()).toBe(0);
    const resumed = ['--url', url, '--session', sessionIn(first.notes())];
    expect(first.notes()).toContain(`--session ${sessionIn(first.notes())} --user ann`);

    const nameless = chat(resumed, ['Who am I']);
    expect(await nameless.finish()).not.toBe(0);
    expect(nameless.answers()).toBe('');

    const second = chat([...resumed, '--user', 'ann'], ['Can I run']);
    expect(await second.finish()).toBe(0);
    expect(second.answers()).toContain('Earlier you told me: My knee hurts');
  });

  it('the chat reconnects when the server crashes in the middle of an answer, and the answer is whole', async () => {
    const question = 'My chest hurts when I climb the stairs';
    const environment = await restartable();
    const before = await start(environment);
    const undisturbed = chat(['--url', before.url], [question]);
    expect(await undisturbed.finish()).toBe(0);

    const talk = chat(['--url', before.url], [question]);
    await talk.shows(/You said: My chest/);
    before.kill('SIGKILL');
    await before.exited;
    await talk.shows(/connection lost/);
    await start(environment);
    expect(await talk.finish()).toBe(0);
    expect(talk.notes()).toMatch(/connection lost: ws:\/\/\S+ \(\d+.*\); attempt 1 at ws:\/\/\S+ in \d+ ms/);
    expect(talk.notes()).toMatch(/connection lost: .*ECONNREFUSED.*; attempt [2-9]/);
    expect(talk.notes()).toContain('connected again');
    expect(talk.answers()).toBe(undisturbed.answers());
  });

  it('the chat marks every answer of the simulator, and names the simulator at the start', async () => {
    const { url } = await start();
    const talk = chat(['--url', url], ['My knee hurts', 'And my elbow']);
    expect(await talk.finish()).toBe(0);
    expect(talk.answers().match(/^\[SIMULATED\] You said: /gm)).toHaveLength(2);
    expect(talk.notes()).toContain('SIMULATED: this server has no model');
  });

  it('the chat refuses an unknown command, and sends it as a message after a second slash', async () => {
    const { url } = await start();
    const wrong = chat(['--url', url], ['/foo', '/cancel now']);
    expect(await wrong.finish()).toBe(1);
    expect(wrong.notes()).toContain('/foo is not a command, and was not sent');
    expect(wrong.notes()).toContain('/cancel now is not a command');
    expect(wrong.answers()).toBe('');
    const meant = chat(['--url', url], ['//foo']);
    expect(await meant.finish()).toBe(0);
    expect(meant.answers()).toContain('You said: /foo.');
  });

  it('the chat confirms /extend in its notes', async () => {
    const { url } = await start();
    const talk = chat(['--url', url], ['/extend']);
    expect(await talk.finish()).toBe(0);
    expect(talk.notes()).toContain('the session stays open until');
  });

  it('/again answers the last question again or another one in its place, and /fork copies the conversation', async () => {
    const { url } = await start();
    const talk = chat(['--url', url], ['My knee hurts', '/again', '/again My elbow hurts', '/fork']);
    expect(await talk.finish()).toBe(0);
    const answers = talk.answers().split('You said: ').slice(1);
    expect(answers).toHaveLength(3);
    expect(answers[1]).toMatch(/^My knee hurts/);
    expect(answers[2]).toMatch(/^My elbow hurts/);
    expect(answers[2]).not.toContain('Earlier you told me');
    expect(talk.notes().match(/a turn was taken back/g)).toHaveLength(2);
    const copy = /a copy of the conversation: .*--session ([0-9a-f-]{36})/.exec(talk.notes())?.[1] ?? '';
    expect(copy).not.toBe(sessionIn(talk.notes()));
    const continued = chat(['--url', url, '--session', copy], ['And now']);
    expect(await continued.finish()).toBe(0);
    expect(continued.answers()).toContain('Earlier you told me: My elbow hurts');
    expect(continued.notes()).not.toContain('there was no session');
  });

  it('/again without a question before it is refused, and the chat in a pipe exits with 1', async () => {
    const { url } = await start();
    const talk = chat(['--url', url], ['/again']);
    expect(await talk.finish()).toBe(1);
    expect(talk.notes()).toContain('unknown_turn');
    expect(talk.answers()).toBe('');
  });

  it('the chat in a pipe exits with 1 if a message got no answer, and with 0 if all did', async () => {
    const { url } = await start();
    const failed = chat(['--url', url], ['And my elbow', '[[fault:400]] My knee hurts']);
    expect(await failed.finish()).toBe(1);
    expect(failed.notes()).toContain('failed: upstream_rejected');
    expect(failed.answers()).toContain('You said: And my elbow');
    const answered = chat(['--url', url], ['My knee hurts']);
    expect(await answered.finish()).toBe(0);
  });

  it('the chat in a pipe ends with one line and code 1 if no server answers', async () => {
    const url = `ws://127.0.0.1:${await freePort()}`;
    const talk = chat(['--url', url, '--wait', '1'], ['My knee hurts']);
    expect(await talk.finish()).toBe(1);
    expect(talk.answers()).toBe('');
    expect(talk.notes().match(/gave up: no connection to \S+\/v1\/session \(.*ECONNREFUSED\)/g)).toHaveLength(
      1,
    );
  });

  it('the chat reports a wrong path of its address at the first attempt', async () => {
    const { http } = await start();
    const talk = chat(['--url', `${http.replace('http', 'ws')}/elsewhere`], ['My knee hurts']);
    expect(await talk.finish()).toBe(2);
    expect(talk.notes().trim().split('\n')).toEqual([
      expect.stringContaining('/elsewhere answered 404: the path is wrong, sessions are at /v1/session'),
    ]);
  });

  it('the chat distinguishes a new session under the given id from a resumed one', async () => {
    const { http } = await start();
    const id = '0b9b1f0e-5d0c-4c53-9d57-2f7a3f9d8a11';
    const args = ['--url', http.replace('http', 'ws'), '--session', id];
    const first = chat(args, ['My knee hurts']);
    expect(await first.finish()).toBe(0);
    expect(first.notes()).toContain(`new session ${id} on `);
    expect(first.notes()).toContain('there was no session with this id');
    const second = chat(args, []);
    expect(await second.finish()).toBe(0);
    expect(second.notes()).toContain(`resumed session ${id} on `);
    expect(second.notes()).not.toContain('there was no session');
  });

  it.each([
    ['the wait is not a number', ['--wait', 'soon'], '--wait soon is not a number of seconds'],
    ['the address is not a URL', ['--url', 'nowhere'], '--url nowhere is not like ws://'],
    [
      'the address is not for a WebSocket',
      ['--url', 'http://127.0.0.1:1'],
      '--url http://127.0.0.1:1 is not',
    ],
    ['the session id is not a UUID', ['--session', 'mine'], '--session mine is not a UUID'],
  ])('the chat reports in one line that %s', async (_, args, why) => {
    const talk = chat(args, []);
    expect(await talk.finish()).toBe(2);
    expect(talk.notes()).toContain(why);
    expect(talk.notes().trim().split('\n')).toHaveLength(1);
  });

  it('the chat shows its usage without a connection', async () => {
    const talk = chat(['--help'], []);
    expect(await talk.finish()).toBe(0);
    expect(talk.answers()).toContain('usage: npm run chat');
  });
});
