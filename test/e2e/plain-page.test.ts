/** examples/plain-page in a real Chromium, as it stands: `rehydra/client` without a build or a library. */
import { expect, it } from 'vitest';
import { startSimulator } from '../../src/simulator/simulator.ts';
import { launchChromium } from '../support/instance/chromium.ts';
import { plainPage } from '../support/instance/example-page.ts';
import { startFailover } from '../support/instance/failover.ts';
import { plainAnswer } from '../support/instance/observed.ts';
import { startRedis } from '../support/instance/redis-server.ts';
import { started } from '../support/instance/started.ts';
import { ASKED, expectPart, expectWhole, LEASE_MS, openPage, PACE } from './page-scene.ts';

const [redis, simulator, files, browser] = started(
  startRedis,
  () => startSimulator(PACE),
  () => plainPage('plain-page'),
  launchChromium,
);
const [pair] = started(() => startFailover({ REDIS_URL: redis.url, VLLM_BASE_URL: simulator.url, LEASE_MS }));

it('the plain page stops an answer, and shows the exact next one once through a kill and a reload', async () => {
  const whole = await plainAnswer(simulator.url, ASKED);
  const stopped = await openPage(browser, files.origin, pair.http);
  await stopped.says('connected');
  await stopped.ask();
  await stopped.shows(40);
  await stopped.press('Stop');
  const view = await openPage(browser, files.origin, pair.http);
  await view.says('connected');
  await view.ask();
  await view.shows(40);
  await expectPart(view, whole);
  await pair.kill();
  await view.shows(whole.length - 1);
  await expectWhole(view, whole);
  await view.page.reload();
  await view.shows(whole.length - 1);
  await expectWhole(view, whole);
  const [part = ''] = await stopped.answers();
  expect(part.length).toBeLessThan(whole.length);
  expect(stopped.broken).toEqual([]);
});
