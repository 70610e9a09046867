/** The chat page over the death of an instance, a move to another one, and a model that is away. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { hasWritten, openChat, storedAnswers } from '../support/instance/chat-page.ts';
import { launchChromium } from '../support/instance/chromium.ts';
import { startInstance, startSimulatorProcess } from '../support/instance/instance.ts';
import { freePort } from '../support/instance/processes.ts';
import { startRedis } from '../support/instance/redis-server.ts';

it('the chat page shows an answer to its last character though kill -9 ended the instance in mid-answer', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'rehydra-chat-'));
  const settings = {
    PORT: String(await freePort()),
    DATA_DIR: folder,
    LEASE_MS: '1000',
    SIMULATOR_TOKENS: '60',
    SIMULATOR_TOKENS_PER_SECOND: '20',
  };
  const first = await startInstance(settings);
  const browser = await launchChromium();
  onTestFinished(async () => {
    await browser.close();
    await first.stop();
    rmSync(folder, { recursive: true });
  });
  const window = await openChat(browser, `${first.http}/`);
  await window.ask('hello');
  await hasWritten(window, 10);
  first.kill('SIGKILL');
  await first.exited;
  // The user sees that the page has no connection, and when it tries again.
  await window.page
    .locator('#status')
    .getByText(/^Connection lost. Reconnecting in \d s/)
    .waitFor();
  await window.ask('sent without a connection');
  await window.page.locator('#waiting').getByText('sent without a connection').waitFor();

  const second = await startInstance(settings);
  onTestFinished(async () => void (await second.stop()));
  await window.settled(2);
  expect(await window.texts()).toEqual(await storedAnswers(second.http, window.sessionId()));
  expect((await window.texts())[0]?.length).toBeGreaterThan(100);
  expect(await window.page.locator('.turn').first().getAttribute('data-outcome')).toBe('completed');
  expect(await window.page.locator('#status').textContent()).toBe(`Connected to ${second.instanceId}`);
  expect(await window.page.locator('#waiting').isVisible()).toBe(false);

  await window.page.reload();
  await window.settled(2);
  expect(await window.texts()).toEqual(await storedAnswers(second.http, window.sessionId()));
  expect(window.complaints).toEqual([]);
});

it('the demo of the chat page moves a running answer to another instance, and back when that one is killed', async () => {
  const redis = await startRedis();
  const simulator = await startSimulatorProcess({
    SIMULATOR_TOKENS: '150',
    SIMULATOR_TOKENS_PER_SECOND: '15',
  });
  const settings = { REDIS_URL: redis.url, VLLM_BASE_URL: simulator.url, LEASE_MS: '1000' };
  const [north, south] = await Promise.all([
    startInstance({ ...settings, INSTANCE_ID: 'north' }),
    startInstance({ ...settings, INSTANCE_ID: 'south' }),
  ]);
  const browser = await launchChromium();
  onTestFinished(async () => {
    await browser.close();
    await Promise.all([north.stop(), south.stop()]);
    await simulator.stop();
    await redis.stop();
  });
  const window = await openChat(browser, `${north.http}/?demo&instances=${north.http},${south.http}`);
  const { page } = window;
  const connectedTo = (instance: string) =>
    page.locator('#status').getByText(`Connected to ${instance}`, { exact: true }).waitFor();
  await connectedTo('north');
  await window.ask('go with me');
  await hasWritten(window, 10);
  await page.getByRole('button', { name: 'Move to another instance' }).click();
  await connectedTo('south');
  const moved = (await window.answers.textContent())?.length ?? 0;
  await hasWritten(window, moved);
  south.kill('SIGKILL');
  await south.exited;
  await connectedTo('north');
  await window.settled(1);
  expect(await window.texts()).toEqual(await storedAnswers(north.http, window.sessionId()));
  expect(await page.locator('.figures').textContent()).toContain('3 connections');
  expect(window.complaints).toEqual([]);
});

it('a turn that failed says so on the chat page, and its user has the question answered again', async () => {
  const port = await freePort();
  const instance = await startInstance({
    VLLM_BASE_URL: `http://127.0.0.1:${port}/v1`,
    GENERATION_FIRST_TOKEN_MS: '2000',
    GENERATION_TOTAL_MS: '4000',
  });
  const browser = await launchChromium();
  onTestFinished(async () => {
    await browser.close();
    await instance.stop();
  });
  const window = await openChat(browser, `${instance.http}/`);
  await window.ask('is anybody there?');
  await window.settled(1, 'failed');
  expect(await window.page.locator('.remark').textContent()).toMatch(/^The answer failed \(\w+\)\.$/);
  const simulator = await startSimulatorProcess({
    SIMULATOR_PORT: String(port),
    SIMULATOR_TOKENS_PER_SECOND: '0',
  });
  onTestFinished(async () => void (await simulator.stop()));
  await window.page.getByRole('button', { name: 'Answer again' }).click();
  await window.settled(1);
  expect(await window.page.locator('.question .words').allInnerTexts()).toEqual(['is anybody there?']);
  expect(await window.texts()).toEqual(await storedAnswers(instance.http, window.sessionId()));
});
