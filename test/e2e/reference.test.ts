/** The API reference in a real Chromium: it shows the routes, it sends requests, and it loads nothing from other hosts. */
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { launchChromium } from '../support/instance/chromium.ts';
import { startInstance } from '../support/instance/instance.ts';
import { started } from '../support/instance/started.ts';

const [instance] = started(() => startInstance({ SIMULATOR_TOKENS_PER_SECOND: '0' }));
let browser: Browser;
beforeAll(async () => {
  browser = await launchChromium();
}, 90_000);
afterAll(() => browser?.close());

/** The page with every request that leaves it, and everything that it complains about. */
async function open() {
  const context = await browser.newContext();
  const page = await context.newPage();
  const asked: string[] = [];
  const complaints: string[] = [];
  page.on('request', (request) => asked.push(request.url()));
  page.on('console', (message) => {
    // Chromium also gives advice about forms.
    if (['error', 'warning'].includes(message.type())) complaints.push(message.text());
  });
  page.on('pageerror', (error) => complaints.push(error.message));
  await page.goto(`${instance.http}/docs`);
  await page.locator('#operations-Sessions-createSession').waitFor();
  return { page, asked, complaints, close: () => context.close() };
}

it('the reference shows every documented route with its summary, and asks no other host', async () => {
  const { page, asked, complaints, close } = await open();
  const document = (await (await fetch(`${instance.http}/openapi.json`)).json()) as {
    readonly paths: Readonly<Record<string, Readonly<Record<string, { readonly summary: string }>>>>;
  };
  const documented = Object.entries(document.paths).flatMap(([path, byMethod]) =>
    Object.entries(byMethod).map(([method, { summary }]) => [method.toUpperCase(), path, summary]),
  );
  const shown = await page.locator('.opblock-summary').evaluateAll((rows) =>
    rows.map((row) => {
      const textOf = (part: string) =>
        (row as unknown as { querySelector(of: string): { textContent: string } | null })
          .querySelector(`.opblock-summary-${part}`)
          ?.textContent.replaceAll('\u200b', '');
      return [textOf('method'), textOf('path'), textOf('description')];
    }),
  );
  expect(shown.toSorted()).toEqual(documented.toSorted());
  expect(asked.length).toBeGreaterThan(4);
  const others = asked.filter((url) => !url.startsWith(`${instance.http}/`) && !url.startsWith('data:'));
  expect(others).toEqual([]);
  expect(complaints).toEqual([]);
  await close();
});

it('the reference opens routes, a schema and the form for a credential within its policy', async () => {
  const { page, complaints, close } = await open();
  for (const name of [
    'Sessions-createSession',
    'Sessions-sendMessage',
    'Sessions-followSession',
    'Consultation-askForProtocol',
  ]) {
    const operation = page.locator(`#operations-${name}`);
    await operation.locator('.opblock-summary-control').click();
    await operation.locator('.opblock-body').waitFor();
  }
  await page.locator('.models .json-schema-2020-12-accordion').first().click();
  await page.getByRole('button', { name: 'Authorize' }).first().click();
  await page.locator('.auth-container').first().waitFor();
  expect(complaints).toEqual([]);
  await close();
});

it('a reader of the reference starts a session with the example of the document', async () => {
  const { page, complaints, close } = await open();
  const operation = page.locator('#operations-Sessions-createSession');
  await operation.locator('.opblock-summary').click();
  await operation.getByRole('button', { name: 'Try it out' }).click();
  const answered = page.waitForResponse(`${instance.http}/v1/sessions`);
  await operation.getByRole('button', { name: 'Execute' }).click();
  const response = await answered;
  expect(response.status()).toBe(201);
  expect(await response.json()).toMatchObject({ client_id: 'clinic', state: 'idle' });
  await operation.locator('.live-responses-table').getByText('"client_id"').first().waitFor();
  expect(complaints).toEqual([]);
  await close();
});

it('the policy of the reference page allows nothing inline and no other host', async () => {
  const { headers } = await fetch(`${instance.http}/docs`);
  const policy = headers.get('content-security-policy') ?? '';
  expect(policy).toContain("default-src 'self'");
  expect(policy).not.toMatch(/unsafe|script-src|https?:|\*/);
  expect(policy).toContain("frame-ancestors 'none'");
});
