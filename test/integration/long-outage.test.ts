/** A session ends the same way after any downtime of the server or jump of its clock. */
import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { readConfig } from '../../src/config/config.ts';
import { type Service, startService } from '../../src/service.ts';
import { openLog } from '../../src/telemetry/log.ts';
import { ask } from '../support/instance/http.ts';
import { eventually } from '../support/instance/observed.ts';

const MINUTE_MS = 60_000;
const WEEK_MS = 7 * 24 * 60 * MINUTE_MS;

let dataDir: string;
let running: Service[] = [];
let aheadMs = 0;

beforeEach(() => {
  dataDir = mkdtempSync(join(tmpdir(), 'rehydra-outage-'));
  aheadMs = 0;
  const now = Date.now.bind(Date);
  vi.spyOn(Date, 'now').mockImplementation(() => now() + aheadMs);
});
afterEach(async () => {
  await Promise.all(running.map((service) => service.drain()));
  running = [];
  vi.restoreAllMocks();
  rmSync(dataDir, { recursive: true, force: true });
});

async function start(): Promise<Service> {
  const config = readConfig({
    PORT: '0',
    DATA_DIR: dataDir,
    ARCHIVE_RETENTION_DAYS: '30',
    SIMULATOR_TOKENS: '4',
    SIMULATOR_TOKENS_PER_SECOND: '0',
    HIBERNATE_MS: '100',
    DRAIN_MS: '1000',
    LOG_LEVEL: 'silent',
  });
  const service = await startService(config, openLog('silent', 'outage'));
  running.push(service);
  return service;
}

async function stop(service: Service): Promise<void> {
  running = running.filter((one) => one !== service);
  await service.drain();
}

const pass = (ms: number): void => {
  aheadMs += ms;
};
const httpOf = ({ port }: Service) => `http://127.0.0.1:${port}`;

async function chat(service: Service): Promise<string> {
  const sessionId = randomUUID();
  await ask(httpOf(service), { session_id: sessionId, chief_complaint: 'headache' });
  return sessionId;
}

async function livesOf(service: Service, sessionId: string): Promise<readonly Record<string, unknown>[]> {
  const response = await fetch(`${httpOf(service)}/api/archive?limit=100`);
  const { sessions } = (await response.json()) as { sessions: readonly Record<string, unknown>[] };
  return sessions.filter((one) => one.session_id === sessionId);
}

const archived = (service: Service, sessionId: string) =>
  eventually(
    'the session in the archive',
    () => livesOf(service, sessionId),
    (lives) => lives.length > 0,
  );

describe('with the embedded store and default lifetimes', () => {
  it.each([
    ['70 minutes', 70 * MINUTE_MS],
    ['125 minutes', 125 * MINUTE_MS],
    ['a week', WEEK_MS],
  ])('a session whose server was off for %s is archived once as ended', async (_, offMs) => {
    const before = await start();
    const sessionId = await chat(before);
    await stop(before);
    pass(offMs);
    const after = await start();
    expect(await archived(after, sessionId)).toMatchObject([{ end_reason: 'idle' }]);
    expect((await fetch(`${httpOf(after)}/api/archive/${sessionId}`)).status).toBe(200);
    expect((await fetch(`${httpOf(after)}/api/session/${sessionId}`)).status).toBe(404);
  });

  it('a session is archived once as ended when the clock of its server jumps ahead by two hours', async () => {
    const service = await start();
    const sessionId = await chat(service);
    pass(120 * MINUTE_MS);
    expect(await archived(service, sessionId)).toMatchObject([{ end_reason: 'idle' }]);
    expect((await fetch(`${httpOf(service)}/api/session/${sessionId}`)).status).toBe(404);
  });
});
