/** The chat page over the death of the instance that serves it. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { hasWritten, openChat, storedAnswers } from '../support/instance/chat-page.ts';
import { launchChromium } from '../support/instance/chromium.ts';
import { startInstance } from '../support/instance/instance.ts';
import { freePort } from '../support/instance/processes.ts';

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
  expect(await window.page.locator('#waiting').textContent()).toContain('sent without a connection');

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
