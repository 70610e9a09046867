/** examples/react-chat in a real Chromium: stock `useChat` against two instances behind one address. */
import { describe, expect, it, onTestFinished } from 'vitest';
import { startSimulator } from '../../src/simulator/simulator.ts';
import { launchChromium } from '../support/instance/chromium.ts';
import { builtPage } from '../support/instance/example-page.ts';
import { startFailover } from '../support/instance/failover.ts';
import { plainAnswer } from '../support/instance/observed.ts';
import { startRedis } from '../support/instance/redis-server.ts';
import { started } from '../support/instance/started.ts';
import { ASKED, expectPart, expectWhole, LEASE_MS, openPage, PACE } from './page-scene.ts';

describe('the React chat page', () => {
  const [redis, simulator, files, browser] = started(
    startRedis,
    () => startSimulator(PACE),
    () => builtPage('react-chat'),
    launchChromium,
  );
  const startPair = () => startFailover({ REDIS_URL: redis.url, VLLM_BASE_URL: simulator.url, LEASE_MS });
  const [pair] = started(startPair);
  const open = (server: string) => openPage(browser, files.origin, server);
  const wanted = () => plainAnswer(simulator.url, ASKED);
  async function ownPair() {
    const own = await startPair();
    onTestFinished(() => own.stop());
    return own;
  }

  it('the React chat page shows an answer while it is written, and keeps it over a reload', async () => {
    const chat = await open(pair.http);
    const whole = await wanted();
    await chat.ask();
    await chat.shows(0);
    await expectPart(chat, whole);
    await chat.says('ready');
    await expectWhole(chat, whole);
    await chat.page.reload();
    await chat.shows(whole.length - 1);
    await expectWhole(chat, whole);
  });

  it('the React chat page that is loaded again in mid-answer shows the whole answer once', async () => {
    const chat = await open(pair.http);
    const whole = await wanted();
    await chat.ask();
    await chat.shows(40);
    await chat.page.reload();
    await chat.shows(40);
    await expectPart(chat, whole);
    await chat.shows(whole.length - 1);
    await chat.says('ready');
    await expectWhole(chat, whole);
  });

  it('the stop button of the React chat page ends an answer that a reload resumed, and its text stays', async () => {
    const chat = await open(pair.http);
    const whole = await wanted();
    await chat.ask();
    await chat.shows(40);
    await chat.page.reload();
    await chat.shows(40);
    await chat.press('Stop');
    await chat.says('ready');
    await expectPart(chat, whole);
    const stopped = await chat.answers();
    await chat.page.reload();
    await chat.shows(40);
    expect(await chat.answers()).toEqual(stopped);
    expect(chat.broken).toEqual([]);
  });

  it('the React chat page shows the exact answer once, though a kill ends the instance that writes it', async () => {
    const own = await ownPair();
    const chat = await open(own.http);
    const whole = await wanted();
    await chat.ask();
    await chat.shows(40);
    await expectPart(chat, whole);
    await own.kill();
    await chat.says('reconnecting');
    await chat.says('ready');
    await expectWhole(chat, whole);
  });

  it('the React chat page that is loaded again after a kill of the instance shows the exact answer once', async () => {
    const own = await ownPair();
    const chat = await open(own.http);
    const whole = await wanted();
    await chat.ask();
    await chat.shows(40);
    await expectPart(chat, whole);
    await own.kill();
    await chat.page.reload();
    await chat.shows(whole.length - 1);
    await chat.says('ready');
    await expectWhole(chat, whole);
  });
});
