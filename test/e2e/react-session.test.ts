/** examples/react-session in a real Chromium: `rehydra/react` in StrictMode, against two instances behind one address. */
import type { WebSocket } from 'playwright-core';
import { describe, expect, it, onTestFinished } from 'vitest';
import { startSimulator } from '../../src/simulator/simulator.ts';
import { launchChromium } from '../support/instance/chromium.ts';
import { builtPage } from '../support/instance/example-page.ts';
import { startFailover } from '../support/instance/failover.ts';
import { metric, plainAnswer } from '../support/instance/observed.ts';
import { startRedis } from '../support/instance/redis-server.ts';
import { started } from '../support/instance/started.ts';
import { ASKED, expectPart, expectWhole, LEASE_MS, openPage, PACE } from './page-scene.ts';

describe('the React page with useSession', () => {
  const [redis, simulator, files, browser] = started(
    startRedis,
    () => startSimulator(PACE),
    () => builtPage('react-session'),
    launchChromium,
  );
  const wanted = () => plainAnswer(simulator.url, ASKED);
  async function openOwn() {
    const pair = await startFailover({ REDIS_URL: redis.url, VLLM_BASE_URL: simulator.url, LEASE_MS });
    onTestFinished(() => pair.stop());
    const connections = () => metric(pair.first.http, 'rehydra_connections');
    return { pair, connections, view: await openPage(browser, files.origin, pair.http) };
  }

  it('a page with useSession shows the exact answer once, through a reload and a kill of the instance', async () => {
    const { pair, view } = await openOwn();
    const whole = await wanted();
    await view.says('connected');
    await view.ask();
    await view.shows(40);
    await view.page.reload();
    await view.shows(40);
    await expectPart(view, whole);
    await pair.kill();
    await view.shows(whole.length - 1);
    await view.page.locator('.outcome').getByText('completed').waitFor();
    await expectWhole(view, whole);
    await view.page.reload();
    await view.shows(whole.length - 1);
    await expectWhole(view, whole);
  });

  it('useSession that StrictMode mounts twice dials once and keeps one connection, and an unmount ends it', async () => {
    const { connections, view } = await openOwn();
    await view.says('connected');
    await view.press('Leave');
    await expect.poll(connections).toBe(0);
    const dialled: WebSocket[] = [];
    view.page.on('websocket', (socket) => dialled.push(socket));
    await view.press('Come back');
    await view.says('connected');
    await expect.poll(connections).toBe(1);
    expect(dialled.map((socket) => socket.isClosed())).toEqual([false]);
    expect(view.broken).toEqual([]);
  });

  it('the stop button of a page with useSession ends the answer, and the text so far stays', async () => {
    const { view } = await openOwn();
    const whole = await wanted();
    await view.says('connected');
    await view.ask();
    await view.shows(40);
    await view.press('Stop');
    await view.page.locator('.outcome').getByText('cancelled').waitFor();
    await expectPart(view, whole);
  });
});
