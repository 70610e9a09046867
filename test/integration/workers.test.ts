/** Several workers serve one port. Real processes, real signals: they share the load, are replaced, and end together. */
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it, onTestFinished } from 'vitest';
import { parseWorkers, workersOf } from '../../src/config/supervision.ts';
import { AUDIT_KEY } from '../support/audited.ts';
import { TestClient } from '../support/instance/client.ts';
import { ask, get } from '../support/instance/http.ts';
import {
  type Environment,
  type Instance,
  runToEnd,
  spawnBuilt,
  startInstance,
  startSimulatorProcess,
} from '../support/instance/instance.ts';
import { eventually, plainAnswer } from '../support/instance/observed.ts';
import { freePort } from '../support/instance/processes.ts';
import { ReconnectingClient } from '../support/instance/reconnecting-client.ts';
import { startRedis } from '../support/instance/redis-server.ts';
import { started } from '../support/instance/started.ts';

/** Elsewhere several workers are refused. */
const onLinux = describe.runIf(process.platform === 'linux');

interface Worker {
  readonly instance: string;
  readonly pid: number;
}

const folder = mkdtempSync(join(tmpdir(), 'rehydra-workers-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const [redis, simulator] = started(startRedis, () => startSimulatorProcess({ SIMULATOR_TOKENS: '40' }));

const settings = (more: Environment = {}): Environment => ({
  WORKERS: '2',
  REDIS_URL: redis.url,
  DATA_DIR: join(folder, 'data'),
  VLLM_BASE_URL: simulator.url,
  LEASE_MS: '1000',
  ...more,
});

async function startGroup(more: Environment = {}): Promise<Instance> {
  const environment = settings(more);
  const group = await startInstance(environment);
  onTestFinished(async () => void (await group.stop()));
  const count = parseWorkers(environment.WORKERS ?? '');
  if (count.kind === 'parsed' && workersOf(count.value) > 1) await startedIn(group, workersOf(count.value));
  return group;
}

/** The lines of several processes reach a pipe in any order. */
const startedIn = (group: Instance, count: number): Promise<readonly Worker[]> =>
  eventually(
    `${count} workers`,
    () => workersIn(group),
    ({ length }) => length === count,
  );

/** Every worker that has listened, also those that have ended. */
function workersIn({ logs }: Instance): readonly Worker[] {
  return logs
    .filter((line) => line.includes('"msg":"worker listening"'))
    .map((line) => JSON.parse(line) as Worker);
}

/** A dead process whose parent has not asked for its exit code has the state Z. */
function lives(pid: number): boolean {
  try {
    return !/\) Z /.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    return false;
  }
}

const noneLives = (workers: readonly Worker[]) =>
  eventually(
    'the end of all workers',
    () => workers.filter(({ pid }) => lives(pid)).length,
    (count) => count === 0,
  );

/** On a connection of its own: the kernel chooses a worker for each connection. */
const metricsOf = async (group: Instance): Promise<string> => {
  const headers = { connection: 'close' };
  const signal = AbortSignal.timeout(20_000);
  return (await fetch(`${group.http}/metrics`, { headers, signal })).text();
};

const sample = (text: string, name: string): number =>
  Number(new RegExp(`^${name} (\\d+)$`, 'm').exec(text)?.[1]);

async function refusal(environment: Environment): Promise<string> {
  const { code, stdout, stderr } = await runToEnd('main.js', environment);
  expect(code).toBe(1);
  expect(stdout).not.toContain('"msg":"listening"');
  expect(`${stdout}${stderr}`).not.toMatch(/^\s+at |node:internal|file:\/\//m);
  return stderr.trim();
}

onLinux('workers on one port', () => {
  it('workers share one port, each answers as an instance of its own, and all end with one SIGTERM', async () => {
    const group = await startGroup({ WORKERS: '3', INSTANCE_ID: 'box' });
    const workers = workersIn(group);
    expect(workers.map(({ instance }) => instance).toSorted()).toEqual(['box.1', 'box.2', 'box.3']);
    const met = new Set<string>();
    await eventually(
      'a welcome of each worker',
      async () => {
        const client = await TestClient.greet(group.url);
        met.add(client.welcome.instance);
        await client.close();
        return met.size;
      },
      (count) => count === 3,
    );
    expect(group.logs.filter((line) => line.includes('"msg":"listening"'))).toHaveLength(1);
    expect(await group.stop()).toBe(0);
    await noneLives(workers);
  });

  it('two clients of one session on different workers see the same frames', async () => {
    const group = await startGroup();
    const first = await TestClient.greet(group.url, { after: 0 });
    const session_id = first.sessionId;
    let second = await TestClient.greet(group.url, { session_id, after: 0 });
    while (second.welcome.instance === first.welcome.instance) {
      await second.close();
      second = await TestClient.greet(group.url, { session_id, after: 0 });
    }
    second.message('m', 'My knee hurts since Tuesday');
    await Promise.all([first.completed('m'), second.completed('m')]);
    const seen = (client: TestClient) => client.durable.map((frame) => JSON.stringify(frame));
    expect(seen(second)).toEqual(seen(first));
  });

  it('a scrape of any worker has the metrics of all, and names a worker that does not answer', async () => {
    const group = await startGroup();
    const text = await metricsOf(group);
    const names = workersIn(group).map(({ instance }) => instance);
    for (const name of names) expect(text).toContain(`rehydra_connections{instance="${name}"}`);
    expect(text.match(/^# TYPE rehydra_connections /gm)).toHaveLength(1);
    expect(sample(text, 'rehydra_workers_reporting')).toBe(2);

    process.kill(workersIn(group)[0]!.pid, 'SIGSTOP');
    onTestFinished(() => void process.kill(workersIn(group)[0]!.pid, 'SIGCONT'));
    // The kernel gives the stopped worker its share of connections too.
    const without = await Promise.any(Array.from({ length: 16 }, () => metricsOf(group)));
    expect(sample(without, 'rehydra_workers')).toBe(2);
    expect(sample(without, 'rehydra_workers_reporting')).toBe(1);
    process.kill(workersIn(group)[0]!.pid, 'SIGCONT');
  });

  it('with WORKERS=auto one worker runs for each core that the process may use', async () => {
    const group = await startGroup({ WORKERS: 'auto' });
    const cores = workersOf('auto');
    expect(workersIn(group)).toHaveLength(cores === 1 ? 0 : cores);
  });
});

onLinux('death of a worker', () => {
  it('turns of a worker that is killed go on at the other one, and a new worker takes its place', async () => {
    const group = await startGroup();
    const clients = Array.from({ length: 12 }, () => new ReconnectingClient({ urls: [group.url] }));
    await Promise.all(clients.map((client) => client.welcomed()));
    const said = clients.map((client, index) => client.say(`My pain is number ${index}.`));
    const text = (index: number) => clients[index]!.turnOf(said[index]!)?.text ?? '';
    await Promise.all(clients.map((client, index) => client.until(() => text(index) !== '', 'a token')));
    const owner = clients[0]!.instances[0];
    process.kill(workersIn(group).find(({ instance }) => instance === owner)!.pid, 'SIGKILL');

    const turns = await Promise.all(clients.map((client, index) => client.answered(said[index]!)));
    for (const [index, turn] of turns.entries()) {
      const question = { role: 'user' as const, content: said[index]!.content };
      expect(turn).toMatchObject({ outcome: { kind: 'completed' } });
      expect(turn.text).toBe(await plainAnswer(simulator.url, [question]));
      expect(clients[index]!.violations).toEqual([]);
    }
    for (const client of clients) client.stop();
    const workers = await startedIn(group, 3);
    expect(new Set(workers.map(({ instance }) => instance)).size).toBe(3);
    expect(sample(await metricsOf(group), 'rehydra_worker_restarts_total')).toBe(1);
  });

  it('a worker that an operator stops leaves the port to the others, which take the next connection', async () => {
    const group = await startGroup();
    let refused = 0;
    let going = true;
    const dialling = (async () => {
      while (going) {
        const client = await TestClient.open(group.url).catch(() => null);
        if (client === null) refused += 1;
        else await client.close();
      }
    })();
    process.kill(workersIn(group)[0]!.pid, 'SIGTERM');
    await startedIn(group, 3);
    going = false;
    await dialling;
    // The kernel resets a connection that the worker had not accepted yet; here only one is open at a time.
    expect(refused).toBeLessThan(2);
  });

  it('no worker outlives a supervisor that is killed, and each hands its sessions over', async () => {
    const group = await startGroup();
    const client = await TestClient.greet(group.url);
    group.kill('SIGKILL');
    expect(await client.closed).toMatchObject({ code: 1012 });
    await noneLives(workersIn(group));
    await eventually(
      'their last words',
      () => group.logs.filter((line) => line.includes('"msg":"drained"')).length,
      (count) => count === 2,
    );
  });
});

onLinux('end of workers', () => {
  it('SIGTERM while workers start ends all of them, with the exit code 0', async () => {
    const ended = await Promise.all(
      [300, 900].map(async (afterMs) => {
        const child = spawnBuilt('main.js', [], { PORT: '0', ...settings() });
        const closed = once(child, 'close');
        for (const stream of [child.stdout, child.stderr]) stream?.resume();
        await new Promise((resume) => setTimeout(resume, afterMs));
        child.kill('SIGTERM');
        return closed;
      }),
    );
    // A process that has no handler yet ends by the signal.
    for (const [code, signal] of ended) expect(code ?? signal).toBeOneOf([0, 'SIGTERM']);
  });

  it('a signal that a terminal sends to supervisor and workers drains all of them once', async () => {
    const group = await startGroup();
    const workers = workersIn(group);
    for (const pid of [workers[0]!.pid, group.pid, workers[1]!.pid]) process.kill(pid, 'SIGINT');
    expect((await group.exited).code).toBe(0);
    await noneLives(workers);
  });

  it('a second signal ends supervisor and workers without waiting for a turn', async () => {
    // Of its own: the next instances would continue the abandoned turn.
    const own = await startRedis();
    onTestFinished(() => own.stop());
    const group = await startGroup({ DRAIN_MS: '60000', REDIS_URL: own.url });
    const client = await TestClient.greet(group.url);
    client.message('m', '[[fault:tps=1,tokens=500]] A long story please');
    await client.waitForType('delta');
    group.kill('SIGTERM');
    // Signals within a second count as one.
    await new Promise((resume) => setTimeout(resume, 1_200));
    group.kill('SIGTERM');
    expect((await group.exited).code).not.toBe(0);
    await noneLives(workersIn(group));
  });
});

onLinux('refused workers', () => {
  it.each(['2', 'auto'])('WORKERS=%s is refused in one line with the embedded store', async (WORKERS) => {
    const said = await refusal({ PORT: '0', WORKERS, DATA_DIR: join(folder, 'embedded') });
    const lines = said.split('\n');
    expect(lines.slice(1)).toEqual([expect.stringMatching(`^WORKERS=${WORKERS} needs REDIS_URL`)]);
  });

  it('workers are refused a port on which a program, an instance or other workers listen, and reverse', async () => {
    const port = await freePort();
    const foreign = createServer().listen(port, '127.0.0.1');
    await once(foreign, 'listening');
    expect(await refusal(settings({ PORT: String(port) }))).toMatch(/^[^\n]*the port is in use[^\n]*$/);
    foreign.close();
    await once(foreign, 'close');
    const group = await startGroup({ PORT: String(port) });
    const others = [settings({ PORT: String(port) }), settings({ PORT: String(port), WORKERS: '1' })];
    for (const environment of others) expect(await refusal(environment)).toContain('the port is in use');
    expect((await get(`${group.http}/healthz`)).status).toBe(200);
  });

  it('workers that cannot start end with the reason of the first one', async () => {
    const said = await refusal(settings({ PORT: '0', AUDIT_LOG: '/dev/null/audit' }));
    expect(said).toMatch(/^[^\n]*AUDIT_LOG=\/dev\/null\/audit cannot be written[^\n]*$/);
  });
});

onLinux('files that workers share', () => {
  it('workers write whole lines into one audit log, and SIGHUP to their supervisor rotates it for all', async () => {
    const file = join(folder, 'audit.log');
    const group = await startGroup({ AUDIT_LOG: file, AUDIT_KEY });
    const asked: string[] = [];
    const talk = async (): Promise<void> => {
      for (let turn = 0; turn < 5; turn += 1) {
        const session_id = randomUUID();
        const body = { session_id, chief_complaint: '[[fault:tps=0,tokens=2]] chest pain' };
        await ask(group.http, body, { connection: 'close' });
        asked.push(session_id);
      }
    };
    await Promise.all([talk(), talk(), talk(), talk()]);
    renameSync(file, `${file}.1`);
    group.kill('SIGHUP');
    await eventually(
      'the new file',
      () => existsSync(file) && group.logs.filter((line) => line.includes('reopening')).length === 2,
      (isReopened) => isReopened,
    );
    await Promise.all([talk(), talk(), talk(), talk()]);
    await group.stop();
    const lines = readdirSync(folder)
      .filter((name) => name.startsWith('audit.log'))
      .flatMap((name) => readFileSync(join(folder, name), 'utf8').trim().split('\n'))
      .map((line) => JSON.parse(line) as Readonly<Record<string, unknown>>);
    const messages = lines.filter(({ action }) => action === 'message');
    expect(messages.map(({ session_id }) => session_id).toSorted()).toEqual(asked.toSorted());
    expect(new Set(lines.map(({ instance }) => instance)).size).toBe(2);
    // The lines of two chains interleave in both files.
    const checked = await runToEnd('audit.js', { AUDIT_KEY }, ['verify', file, `${file}.1`]);
    expect(checked).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/(^chain .* stopped: no line after it is missing$\n){2}/m),
    });
  });

  it('workers share one archive file: each finds what the other archived, and erases it', async () => {
    const group = await startGroup();
    const ids = Array.from({ length: 24 }, () => randomUUID());
    const user_id = `user-${randomUUID()}`;
    const headers = { connection: 'close' };
    await Promise.all(
      ids.map(async (session_id) => {
        const chief_complaint = '[[fault:tps=0,tokens=2]] chest pain';
        await ask(group.http, { session_id, user_id, chief_complaint }, headers);
        const ended = await get(`${group.http}/api/session/${session_id}`, { method: 'DELETE', headers });
        expect(ended.status).toBe(200);
      }),
    );
    const found = async (): Promise<number> => {
      const reply = await get(`${group.http}/api/archive?limit=100&user_id=${user_id}`, { headers });
      return (reply.body as { readonly sessions: readonly unknown[] }).sessions.length;
    };
    for (let look = 0; look < 8; look += 1) expect(await found()).toBe(ids.length);
    const erased = await get(`${group.http}/api/users/${user_id}`, { method: 'DELETE', headers });
    expect(erased.status).toBe(200);
    for (let look = 0; look < 8; look += 1) expect(await found()).toBe(0);
  });
});
