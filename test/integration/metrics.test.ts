/** Real processes report their metrics, and alerts and dashboard use no metric that the processes do not report. */
import { readFileSync } from 'node:fs';
import { beforeAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { TestClient } from '../support/instance/client.ts';
import { startInstance } from '../support/instance/instance.ts';
import { eventually, metric } from '../support/instance/observed.ts';
import { startRedis } from '../support/instance/redis-server.ts';
import { started } from '../support/instance/started.ts';

interface Rules {
  readonly groups: readonly {
    readonly rules: readonly {
      readonly alert: string;
      readonly expr: string;
      readonly labels: { readonly severity: string };
      readonly annotations: { readonly summary: string; readonly runbook: string };
    }[];
  }[];
}
interface Board {
  readonly panels: readonly {
    readonly title: string;
    readonly targets?: readonly { readonly expr: string }[];
  }[];
}

const alerts = (parse(readFileSync('deploy/alerts.yml', 'utf8')) as Rules).groups.flatMap(
  ({ rules }) => rules,
);
const panels = (JSON.parse(readFileSync('deploy/grafana-dashboard.json', 'utf8')) as Board).panels;
const asked = [
  ...alerts.map(({ expr }) => expr),
  ...panels.flatMap(({ targets = [] }) => targets.map(({ expr }) => expr)),
];
const names = [...new Set(asked.flatMap((expr) => expr.match(/rehydra_\w+/g) ?? []))].sort();

describe('metrics of two instances on one Redis', () => {
  const [redis] = started(startRedis);
  const launch = () =>
    startInstance({
      REDIS_URL: redis.url,
      SESSION_IDLE_MS: '6000',
      SESSION_WARN_MS: '500',
      LEASE_MS: '1000',
      HIBERNATE_MS: '300',
    });
  const [one, two] = started(launch, launch);
  let written = 0;
  beforeAll(async () => {
    const client = await TestClient.greet(one.url);
    client.message('m', '[[fault:tps=20,tokens=80]] A short story please');
    await client.waitForType('turn.started');
    // Busy with its turn, the owner keeps the session, so this instance finds it held.
    const other = await TestClient.greet(two.url, { session_id: client.sessionId });
    const end = await client.completed('m');
    if (end.type === 'turn.completed') written = end.usage.completion_tokens;
    client.message('m', 'the same message once more');
    await client.refused('m');
    await client.close();
    await other.close();
  }, 60_000);

  const both = async (name: string, labels: Readonly<Record<string, string>> = {}) =>
    (await metric(one.http, name, labels)) + (await metric(two.http, name, labels));

  it('metrics show how long commits, appends and answers took, and how much they read and wrote', async () => {
    expect(await metric(one.http, 'rehydra_commit_duration_seconds_count')).toBeGreaterThan(2);
    expect(await metric(one.http, 'rehydra_append_duration_seconds_count')).toBeGreaterThan(2);
    expect(written).toBeGreaterThan(0);
    expect(await both('rehydra_generation_first_token_seconds_count')).toBe(1);
    expect(await both('rehydra_generation_duration_seconds_count', { outcome: 'completed' })).toBe(1);
    expect(await both('rehydra_generation_tokens_total', { kind: 'completion' })).toBe(written);
  });

  it('metrics count claims of sessions that another instance holds', async () => {
    expect(await metric(two.http, 'rehydra_claims_total', { outcome: 'held' })).toBeGreaterThan(0);
  });

  it('metrics show how late the sweeper claimed a hibernated session, and that it was archived', async () => {
    await eventually(
      'the end of the session',
      () => both('rehydra_archive_store_duration_seconds_count'),
      (archived) => archived === 1,
    );
    expect(await both('rehydra_sweep_lag_seconds_count')).toBeGreaterThan(0);
    expect(await both('rehydra_sweeps_total')).toBeGreaterThan(0);
  });

  it('metrics of each instance count the living sessions of all instances, and the time that they have left', async () => {
    const clients = [await TestClient.greet(one.url), await TestClient.greet(two.url)];
    for (const instance of [one, two]) {
      // An instance counts at most every few seconds.
      await eventually(
        'the sessions',
        () => {
          for (const client of clients) client.send({ type: 'extend' });
          return metric(instance.http, 'rehydra_sessions', { state: 'connected' });
        },
        (connected) => connected === 2,
      );
    }
    expect(await both('rehydra_session_expiry_seconds_count')).toBeGreaterThan(1);
    for (const client of clients) client.send({ type: 'close' });
    await Promise.all(clients.map(({ closed }) => closed));
  });

  it('an instance reports every metric that an alert or the dashboard uses', async () => {
    expect(names.length).toBeGreaterThan(15);
    const text = await (await fetch(`${one.http}/metrics`)).text();
    const reported = new Set(text.split('\n').flatMap((line) => line.match(/^rehydra_\w+/)?.[0] ?? []));
    expect(names.filter((name) => !reported.has(name))).toEqual([]);
  });

  it('metrics stay available while the store is away, and show that it is', async () => {
    await redis.kill('SIGSTOP');
    await eventually(
      'the store to be down',
      () => metric(one.http, 'rehydra_store_up'),
      (up) => up === 0,
    );
    const text = await (await fetch(`${one.http}/metrics`)).text();
    expect(text).not.toMatch(/^rehydra_sessions\{/m);
    expect(await metric(one.http, 'rehydra_archive_up')).toBe(1);
    await redis.kill('SIGCONT');
    await eventually(
      'the store to be back',
      () => metric(one.http, 'rehydra_store_up'),
      (up) => up === 1,
    );
  }, 90_000);
});

describe('alerts', () => {
  const headings = readFileSync('docs/OPERATIONS.md', 'utf8')
    .split('\n')
    .filter((line) => line.startsWith('#'))
    .map((line) =>
      line
        .replace(/^#+ /, '')
        .toLowerCase()
        .replace(/[^\w\- ]/g, '')
        .replaceAll(' ', '-'),
    );

  it.each(alerts.map((rule) => [rule.alert, rule] as const))(
    'the alert %s links to its section of the runbook',
    (_name, rule) => {
      const [file, anchor] = rule.annotations.runbook.split('#');
      expect(file).toBe('docs/OPERATIONS.md');
      expect(headings).toContain(anchor);
      expect(rule.annotations.summary).not.toBe('');
      expect(['page', 'warn']).toContain(rule.labels.severity);
    },
  );

  it('no two alerts and no two dashboard panels share a name', () => {
    expect(new Set(alerts.map(({ alert }) => alert)).size).toBe(alerts.length);
    expect(panels.map(({ title }) => title)).toHaveLength(new Set(panels.map(({ title }) => title)).size);
  });
});
