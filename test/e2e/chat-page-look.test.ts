/**
 * What a browser loads of the chat page, and whether everyone can use it. With SCREENSHOTS=1 it also writes the pictures of
 * the documents.
 */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import type { Browser, BrowserContextOptions } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type ChatWindow, hasWritten, openChat } from '../support/instance/chat-page.ts';
import { launchChromium } from '../support/instance/chromium.ts';
import { startInstance } from '../support/instance/instance.ts';
import { started } from '../support/instance/started.ts';

const FIRST_PAINT_MAX_BYTES = 100_000;
const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const LOOKS: readonly (readonly [string, BrowserContextOptions])[] = [
  ['light', { viewport: { width: 1200, height: 800 }, colorScheme: 'light' }],
  ['dark', { viewport: { width: 1200, height: 800 }, colorScheme: 'dark' }],
  ['phone', { viewport: { width: 390, height: 780 }, deviceScaleFactor: 2, isMobile: true, hasTouch: true }],
];

const [instance, fast] = started(
  () => startInstance({ INSTANCE_ID: 'north', SIMULATOR_TOKENS: '64', SIMULATOR_TOKENS_PER_SECOND: '12' }),
  () => startInstance({ SIMULATOR_TOKENS_PER_SECOND: '0' }),
);
let browser: Browser;
beforeAll(async () => {
  browser = await launchChromium();
}, 90_000);
afterAll(() => browser?.close());

/** The rules of accessibility that the page breaks, with the elements. */
async function violations({ page }: ChatWindow): Promise<readonly string[]> {
  await page.evaluate(AXE);
  return (await page.evaluate(`axe.run().then(({ violations }) =>
    violations.flatMap(({ id, nodes }) => nodes.map(({ html }) => id + ': ' + html)))`)) as string[];
}

describe.each(LOOKS)('the chat page in the look %s', (look, options) => {
  it(`the chat page breaks no rule of axe in the look ${look}: empty, in mid-answer, with each dialog`, async () => {
    const window = await openChat(browser, `${instance.http}/`, options);
    const { page } = window;
    await page.locator('#status[data-link=connected]').waitFor();
    expect(await violations(window)).toEqual([]);
    await window.ask('My knee hurts since Monday. What should I watch for?');
    await window.settled(1);
    await window.ask('It is swollen, too.');
    await hasWritten(window, 60);
    await window.ask('And warm.');
    await page.locator('#waiting li').getByText('And warm.').waitFor();
    if (process.env.SCREENSHOTS === '1') await page.screenshot({ path: `docs/screenshots/chat-${look}.png` });
    expect(await violations(window)).toEqual([]);
    await window.settled(3);
    expect(await violations(window)).toEqual([]);
    await page.click('#patient');
    expect(await violations(window)).toEqual([]);
    await page.keyboard.press('Escape');
    if (look === 'phone') await page.click('#menu');
    await page.fill('#name', 'alice');
    await page.press('#name', 'Enter');
    expect(await violations(window)).toEqual([]);
    if (look === 'phone') await page.click('#menu');
    await page.click('#share:not([disabled])');
    expect(await violations(window)).toEqual([]);
    await window.close();
  });

  it(`nothing on the chat page is wider than the screen in the look ${look}`, async () => {
    const window = await openChat(browser, `${fast.http}/`, options);
    await window.ask(`a word that never ends: ${'x'.repeat(300)}`);
    await window.settled(1);
    const excess = 'document.documentElement.scrollWidth - document.documentElement.clientWidth';
    expect(await window.page.evaluate(excess)).toBe(0);
    expect(await window.page.locator('#scroller').evaluate((one) => Reflect.get(one, 'scrollWidth'))).toBe(
      await window.page.locator('#scroller').evaluate((one) => Reflect.get(one, 'clientWidth')),
    );
    await window.close();
  });
});

it('the chat page loads less than 100 kB, from its own host only, and a second visit loads no file again', async () => {
  const context = await browser.newContext();
  const page = await context.newPage();
  const asked: string[] = [];
  page.on('request', (request) => asked.push(request.url()));
  const session = await context.newCDPSession(page);
  await session.send('Network.enable');
  let bytes = 0;
  session.on('Network.loadingFinished', ({ encodedDataLength }) => {
    bytes += encodedDataLength;
  });
  const statuses: number[] = [];
  page.on('response', (response) => statuses.push(response.status()));
  const response = await page.goto(`${instance.http}/`);
  await page.locator('#status[data-link=connected]').waitFor();
  await page.waitForLoadState('networkidle');
  process.stdout.write(`the first paint of the chat page takes ${bytes} bytes\n`);
  expect(bytes).toBeGreaterThan(5_000);
  expect(bytes).toBeLessThan(FIRST_PAINT_MAX_BYTES);
  const headers = response?.headers() ?? {};
  expect(headers['content-encoding']).toBe('br');
  expect(headers['content-security-policy']).toMatch(/^default-src 'self'; base-uri 'none'/);
  expect(asked.length).toBeGreaterThan(3);
  expect(asked.filter((url) => !url.startsWith(`${instance.http}/`))).toEqual([]);
  expect(statuses.every((status) => status === 200)).toBe(true);
  const first = bytes;
  await page.reload();
  await page.locator('#status[data-link=connected]').waitFor();
  await page.waitForLoadState('networkidle');
  expect(bytes - first).toBeLessThan(first / 3);
  await context.close();
});

it('a keyboard alone reaches everything on the chat page in the order of the page', async () => {
  const window = await openChat(browser, `${fast.http}/`);
  const { page } = window;
  await window.ask('by keyboard');
  await window.settled(1);
  await page.focus('#skip');
  const reached = ['skip'];
  for (let step = 0; step < 15; step += 1) {
    await page.keyboard.press('Tab');
    reached.push(
      await page.evaluate<string>('document.activeElement.id || document.activeElement.textContent.trim()'),
    );
  }
  const order = [
    'skip',
    'new',
    'name',
    'patient',
    'Download',
    'Edit',
    'Answer again',
    'Fork from here',
    'Copy',
  ];
  const found = [...order, 'question', 'send'].map((one) => reached.indexOf(one));
  expect(found).not.toContain(-1);
  expect(found).toEqual(found.toSorted((a, b) => a - b));
  await page.focus('#skip');
  await page.keyboard.press('Enter');
  expect(await page.evaluate('document.activeElement.id')).toBe('question');
  await window.close();
});
