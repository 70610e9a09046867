/**
 * The dashboard in a real Chromium: it draws, it recovers from an outage, it loads nothing from other hosts, and it
 * shows users' text as text.
 */
import { randomUUID } from 'node:crypto';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { launchChromium } from '../support/instance/chromium.ts';
import { ask } from '../support/instance/http.ts';
import { newIdentities, showing } from '../support/instance/identities.ts';
import { type Instance, startInstance } from '../support/instance/instance.ts';
import { eventually } from '../support/instance/observed.ts';

const MARKUP = '<img src=x onerror="document.title=1">';

describe('the dashboard', () => {
  let instance: Instance;
  let browser: Browser;
  beforeAll(async () => {
    instance = await startInstance({
      ADMIN_PORT: '0',
      SIMULATOR_TOKENS: '12',
      SIMULATOR_TOKENS_PER_SECOND: '0',
    });
    for (const second of ['also has diabetes', MARKUP]) await converse(['chest pain', second]);
    browser = await launchChromium();
  }, 90_000);
  afterAll(async () => {
    await browser?.close();
    await instance?.stop();
  });

  async function converse(complaints: readonly string[], ends = true): Promise<void> {
    const sessionId = randomUUID();
    for (const complaint of complaints)
      await ask(instance.http, { session_id: sessionId, chief_complaint: complaint });
    if (ends) await fetch(`${instance.http}/api/session/${sessionId}`, { method: 'DELETE' });
  }

  /** The console output, requests and errors of a page. */
  async function open(scheme: 'light' | 'dark' = 'light') {
    const context = await browser.newContext({ colorScheme: scheme });
    const page = await context.newPage();
    const complaints: string[] = [];
    const asked: string[] = [];
    page.on('console', (message) => complaints.push(`${message.type()}: ${message.text()}`));
    page.on('pageerror', (error) => complaints.push(error.message));
    page.on('request', (request) => asked.push(request.url()));
    const response = await page.goto(`${instance.admin}/dashboard`);
    await page.getByText('as of').waitFor();
    return { page, complaints, asked, headers: response?.headers() ?? {}, close: () => context.close() };
  }

  /** How many dots of a chart have been painted. */
  const painted = (page: Page, id: string) =>
    page.locator(`#${id}`).evaluate((node) => {
      const canvas = node as unknown as {
        readonly width: number;
        readonly height: number;
        getContext(kind: '2d'): {
          getImageData(x: number, y: number, w: number, h: number): { readonly data: Uint8ClampedArray };
        };
      };
      const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
      return data.filter((value, index) => index % 4 === 3 && value > 0).length;
    });
  const shows = (page: Page, id: string, text: string) =>
    eventually(
      `${id} to show ${text}`,
      () => page.locator(`#${id}`).textContent(),
      (shown) => shown === text,
      40_000,
    );

  it.each(['light', 'dark'] as const)(
    'the dashboard draws figures and charts in the %s colour scheme',
    async (scheme) => {
      const { page, complaints, close } = await open(scheme);
      expect(await page.locator('#sessions').textContent()).toBe('2');
      expect(await page.locator('#turns-per-session').textContent()).toBe('2.0');
      expect(await page.locator('#abandonment').textContent()).toBe('0 %');
      for (const id of ['by-hour', 'by-reason']) expect(await painted(page, id)).toBeGreaterThan(500);
      const colours = await page.locator('body').evaluate((body) => {
        const style = (
          globalThis as unknown as { getComputedStyle(of: unknown): Record<string, string> }
        ).getComputedStyle(body);
        return [style.backgroundColor, style.color].map((one) => Number(one?.match(/\d+/)?.[0]));
      });
      const [background = 0, text = 0] = colours;
      expect(background > text).toBe(scheme === 'light');
      expect(complaints).toEqual([]);
      await close();
    },
  );

  it('the dashboard loads everything from its own origin, and its content security policy allows no other', async () => {
    const { asked, headers, close } = await open();
    expect(asked.length).toBeGreaterThan(3);
    expect(asked.filter((url) => !url.startsWith(`${instance.admin}/`))).toEqual([]);
    expect(headers['content-security-policy']).toContain("default-src 'self'");
    expect(headers['x-content-type-options']).toBe('nosniff');
    await close();
  });

  it('the dashboard shows users’ text as text: markup in a question creates no element and runs no script', async () => {
    const { page, close } = await open();
    await page.route('**/api/analytics*', async (route) => {
      const response = await route.fetch();
      const figures = (await response.json()) as { readonly ended: object };
      const second_turns = [{ pattern: MARKUP, count: 3 }];
      await route.fulfill({ json: { ...figures, ended: { ...figures.ended, second_turns } } });
    });
    await page.selectOption('#range', '30');
    await page.getByText(MARKUP).waitFor();
    expect(await page.locator('#second-turns img').count()).toBe(0);
    expect(await page.title()).toContain('Rehydra');
    await close();
  });

  it('the dashboard refreshes on its own, and says when its figures are out of date', async () => {
    const { page, close } = await open();
    const before = Number(await page.locator('#sessions').textContent());
    await converse(['back pain']);
    await converse(['cough'], false);
    await shows(page, 'sessions', String(before + 1));
    await shows(page, 'live', '1');
    await page.route('**/api/analytics*', (route) => route.abort());
    await page.selectOption('#range', '1');
    await page.getByText('not up to date').waitFor();
    // The last figures remain on the page.
    expect(await page.locator('#sessions').textContent()).toBe(String(before + 1));
    await close();
  }, 90_000);
});

describe('the dashboard with AUTH', () => {
  const identities = newIdentities();
  const key = identities.apiKey('operator', 'auditor');
  let instance: Instance;
  let browser: Browser;
  beforeAll(async () => {
    instance = await startInstance({
      ...identities.environment,
      ADMIN_PORT: '0',
      SIMULATOR_TOKENS: '12',
      SIMULATOR_TOKENS_PER_SECOND: '0',
    });
    const headers = showing(await identities.token('alice'));
    const { session_id } = await ask(instance.http, { chief_complaint: 'chest pain' }, headers);
    await fetch(`${instance.http}/api/session/${session_id}`, { method: 'DELETE', headers });
    browser = await launchChromium();
  }, 90_000);
  afterAll(async () => {
    await browser?.close();
    await instance?.stop();
    identities.close();
  });

  it('a browser opens the dashboard with a key as the password, and the page draws its figures with it', async () => {
    const httpCredentials = { username: 'any', password: key };
    const context = await browser.newContext({ httpCredentials });
    const page = await context.newPage();
    const complaints: string[] = [];
    const statuses = new Map<string, number>();
    page.on('pageerror', (error) => complaints.push(error.message));
    page.on('response', (response) => statuses.set(new URL(response.url()).pathname, response.status()));
    await page.goto(`${instance.admin}/dashboard`);
    await page.getByText('as of').waitFor();
    expect(await page.locator('#sessions').textContent()).toBe('1');
    expect([...statuses.values()].every((status) => status === 200)).toBe(true);
    expect(statuses.has('/api/analytics')).toBe(true);
    expect(complaints).toEqual([]);
    await context.close();
  });

  it('a browser without a valid key gets neither the dashboard nor its figures', async () => {
    const wrong = { username: 'any', password: `${key}x` };
    for (const httpCredentials of [undefined, wrong]) {
      const context = await browser.newContext(httpCredentials === undefined ? {} : { httpCredentials });
      for (const path of ['/dashboard', '/api/analytics']) {
        const response = await context.request.get(`${instance.admin}${path}`);
        expect(response.status()).toBe(401);
        expect(response.headers()['www-authenticate']).toMatch(/^Basic realm="rehydra"/);
      }
      await context.close();
    }
  });
});
