/** The history of a session over real instances: it survives moves, kills and the end, and replays to the stored state. */
import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { HistoryFile } from '../../src/session/history/history-file.ts';
import { historyIn } from '../../src/session/history/history-file.ts';
import { replay } from '../../src/session/history/replay.ts';
import { TestClient } from '../support/instance/client.ts';
import { get } from '../support/instance/http.ts';
import { type Environment, type Instance, runToEnd, startInstance } from '../support/instance/instance.ts';
import { eventually } from '../support/instance/observed.ts';
import { startRedis } from '../support/instance/redis-server.ts';

const SECRET = 'a pressure behind the breastbone';
const PACE = { SIMULATOR_TOKENS: '40', SIMULATOR_TOKENS_PER_SECOND: '100', LEASE_MS: '1000' };

async function historyOf(instance: Instance, sessionId: string): Promise<HistoryFile> {
  const { status, body } = await get(`${instance.http}/api/session/${sessionId}/history`);
  expect(status).toBe(200);
  return body as HistoryFile;
}

const equal = ({ records }: HistoryFile) => ({ kind: 'equal', records: records.length });
const typesIn = ({ records }: HistoryFile) => records.map(({ event }) => event.type);

async function erase(instance: Instance, path: string): Promise<void> {
  expect((await fetch(`${instance.http}${path}`, { method: 'DELETE' })).status).toBe(200);
}

describe.each(['redis', 'sealed redis', 'sqlite'])('the history of a session on %s', (kind) => {
  let dir: string;
  let stopRedis = async () => {};
  let environment: Environment;
  beforeAll(async () => {
    dir = mkdtempSync(join(tmpdir(), 'rehydra-history-'));
    environment = { ...PACE, DATA_DIR: dir };
    if (kind === 'sealed redis')
      environment = { ...environment, DATA_KEYS: `first:${Buffer.alloc(32, 7).toString('base64')}` };
    if (kind === 'sqlite') return;
    const redis = await startRedis();
    stopRedis = () => redis.stop();
    environment = { ...environment, REDIS_URL: redis.url };
  });
  afterAll(async () => {
    await stopRedis();
    rmSync(dir, { recursive: true, force: true });
  });

  it('a history leads to the stored state after a kill in mid-answer, and after the end from the archive', async () => {
    const first = await startInstance(environment);
    const before = await TestClient.greet(first.url, { after: 0, user_id: 'ana' });
    const { sessionId } = before;
    before.message('one', SECRET, { options: { stop: [SECRET] } });
    await before.waitForType('delta');
    first.kill('SIGKILL');
    await first.exited;
    const second = await startInstance(environment);
    const client = await TestClient.greet(second.url, { session_id: sessionId, after: 0, user_id: 'ana' });
    await client.completed('one');
    client.send({ type: 'extend' });
    await client.waitForType('extended');

    const live = await historyOf(second, sessionId);
    expect(replay(historyIn(live))).toEqual(equal(live));
    expect(typesIn(live)).toEqual(
      expect.arrayContaining(['begin', 'message', 'recover', 'xstate.done.actor.generation', 'extend']),
    );
    expect(new Set(live.records.map(({ instance }) => instance)).size).toBe(2);
    expect(live.records.find(({ event }) => event.type === 'message')).toMatchObject({
      user_id: 'ana',
      from: 'connected.fresh',
      to: 'processing.generating',
      taken: [{ guard: null }, { guard: 'messageWaiting' }],
    });
    expect(live).toMatchObject({ complete: true, ended_at: null });
    expect(JSON.stringify(live)).not.toContain('breastbone');

    await client.close();
    await erase(second, `/api/session/${sessionId}`);
    const ended = await historyOf(second, sessionId);
    expect(replay(historyIn(ended))).toEqual(equal(ended));
    expect(ended.ended_at).not.toBeNull();
    expect(typesIn(ended).at(-1)).toBe('close');
    expect(typesIn(ended).slice(0, live.records.length)).toEqual(typesIn(live));
    expect(ended.records.at(-1)).toMatchObject({ to: 'expired' });

    await erase(second, `/api/session/${sessionId}?erase=true`);
    expect((await get(`${second.http}/api/session/${sessionId}/history`)).status).toBe(404);
    await second.stop();
  });

  it('the erasure of a user takes the histories that name the user, also those of sessions of others', async () => {
    const instance = await startInstance(environment);
    const owner = await TestClient.greet(instance.url, { user_id: 'owner' });
    const { sessionId } = owner;
    const shares = `${instance.http}/api/session/${sessionId}/shares`;
    const invitation = { user_id: 'guest', access: 'read', invited_by: 'owner' };
    const headers = { 'content-type': 'application/json' };
    expect((await fetch(shares, { method: 'POST', headers, body: JSON.stringify(invitation) })).status).toBe(
      201,
    );
    await owner.ask('one', 'Hello');
    await owner.completed('one');
    await owner.close();
    await erase(instance, `/api/session/${sessionId}`);
    expect(JSON.stringify(await historyOf(instance, sessionId))).toContain('guest');
    await erase(instance, '/api/users/guest');
    expect((await get(`${instance.http}/api/session/${sessionId}/history`)).status).toBe(404);
    expect((await get(`${instance.http}/api/archive/${sessionId}`)).status).toBe(200);
    await instance.stop();
  });
});

describe('a history as a file', () => {
  let instance: Instance;
  let dir: string;
  let sessionId: string;
  let history: HistoryFile;
  beforeAll(async () => {
    dir = mkdtempSync(join(tmpdir(), 'rehydra-history-'));
    instance = await startInstance({
      ...PACE,
      DATA_DIR: dir,
      SIMULATOR_TOKENS_PER_SECOND: '0',
      HISTORY_MAX: '12',
    });
    const client = await TestClient.greet(instance.url, { user_id: '=1+1' });
    sessionId = client.sessionId;
    client.message('one', SECRET);
    await client.completed('one');
    await client.close();
    const isIdle = async () => (await historyOf(instance, sessionId)).records.at(-1)?.to;
    await eventually('the departure', isIdle, (state) => state === 'idle.fresh');
    history = await historyOf(instance, sessionId);
  });
  afterAll(async () => {
    await instance?.stop();
    rmSync(dir, { recursive: true, force: true });
  });

  const played = (file: HistoryFile) => {
    const path = join(dir, `${randomUUID()}.json`);
    writeFileSync(path, JSON.stringify(file));
    return runToEnd('replay.js', {}, ['--file', path]);
  };

  it('npm run replay plays a live session line by line, and confirms its stored state', async () => {
    const { code, stdout } = await runToEnd('replay.js', {}, [
      '--session',
      sessionId,
      '--url',
      instance.http,
    ]);
    expect(stdout).toContain('message by =1+1: connected.fresh → processing.generating');
    expect(stdout).toContain('[messageWaiting]');
    expect(stdout).toMatch(/OK: \d+ records lead to the stored state of /);
    expect(code).toBe(0);
  });

  it('npm run replay names the first record that does not fit a history from which a record was taken', async () => {
    const place = history.records.findIndex(({ event }) => event.type === 'message');
    const { code, stdout } = await played({ ...history, records: history.records.toSpliced(place, 1) });
    expect(stdout).toContain(`version ${place + 2}`);
    expect(stdout).toContain('DOES NOT FIT');
    expect(code).toBe(1);
  });

  it('npm run replay names the fields in which a stored state is another than its history says', async () => {
    const { snapshot } = history;
    const context = { ...snapshot.context, turnCount: 7 };
    const { code, stdout } = await played({ ...history, snapshot: { ...snapshot, context } });
    expect(stdout).toContain('context.turnCount: 1 by its history, 7 as stored');
    expect(code).toBe(1);
  });

  it('npm run replay says that a history without its beginning is incomplete', async () => {
    const { code, stdout } = await played({ ...history, records: history.records.slice(1) });
    expect(stdout).toContain('INCOMPLETE: the records before version 2 were dropped');
    expect(code).toBe(2);
  });

  it('npm run replay refuses a file that is no history', async () => {
    const { code } = await played({ session_id: 'none' } as unknown as HistoryFile);
    expect(code).toBe(3);
  });

  it('a history as CSV has a line for each record, and no cell that a table program takes for a formula', async () => {
    const url = `${instance.http}/api/session/${sessionId}/history`;
    const asked = await fetch(url, { headers: { accept: 'text/csv' } });
    const text = await asked.text();
    expect(asked.headers.get('content-type')).toBe('text/csv; charset=utf-8');
    expect(await (await fetch(`${url}?format=csv`)).text()).toBe(text);
    const [head, ...lines] = text.trimEnd().split('\r\n');
    expect(head).toMatch(/^version,at,event,user_id,turn_id,from,to,guards,actions,instance/);
    expect(lines).toHaveLength(history.records.length);
    expect(lines.some((line) => line.includes(",message,'=1+1,"))).toBe(true);
    expect(text).not.toContain('breastbone');
  });

  it('a session keeps its newest HISTORY_MAX records, and says that its history is incomplete', async () => {
    const client = await TestClient.greet(instance.url, { session_id: sessionId, user_id: '=1+1' });
    for (let round = 0; round < 15; round += 1) {
      client.send({ type: 'extend' });
      await client.waitForType('extended');
    }
    const long = await historyOf(instance, sessionId);
    expect(long.records.length).toBeLessThanOrEqual(12);
    expect(long.records.length).toBeGreaterThan(5);
    expect(long.complete).toBe(false);
    expect(long.records.at(-1)?.version).toBe(long.snapshot.version);
    expect(replay(historyIn(long)).kind).toBe('incomplete');
    await client.close();
  });
});
