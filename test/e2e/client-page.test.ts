/** The built client in a real Chromium, on a plain page of another server. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { launchChromium } from '../support/instance/chromium.ts';
import { startInstance } from '../support/instance/instance.ts';
import { freePort } from '../support/instance/processes.ts';

const SCRIPT = `
  import { connect } from '/client.js';
  const query = new URL(location.href).searchParams;
  const session = connect({ url: query.get('server'), sessionId: query.get('session') ?? undefined });
  const show = (id, text) => { document.getElementById(id).textContent = text; };
  let welcomes = 0;
  session.on('welcomed', ({ welcome }) => { show('session', welcome.session_id); show('welcomes', ++welcomes); });
  session.on('*', () => show('length', session.conversation.turns.at(-1)?.text.length ?? 0));
  globalThis.ask = async () => {
    let joined = '';
    const message = session.send('hello');
    await message;
    for await (const { text, startsOver } of message) joined = startsOver ? text : joined + text;
    return { joined, whole: await message.text };
  };
  globalThis.texts = () => session.conversation.turns.map(({ text }) => text);
  show('ready', 'yes');
`;
const PAGE = `<!doctype html><p id="session"></p><p id="welcomes"></p><p id="length"></p><p id="ready"></p>
<script type="module">${SCRIPT}</script>`;

test('a plain page keeps its answer through a kill of the server, and finds it again after a reload', async () => {
  const files = createServer((request, response) => {
    const isCode = request.url === '/client.js';
    response.setHeader('content-type', isCode ? 'text/javascript' : 'text/html');
    response.end(isCode ? readFileSync('dist/package/client.js') : PAGE);
  });
  await new Promise<void>((resolve) => files.listen(0, '127.0.0.1', resolve));
  const origin = `http://127.0.0.1:${(files.address() as AddressInfo).port}`;
  const folder = mkdtempSync(join(tmpdir(), 'rehydra-page-'));
  const settings = {
    PORT: String(await freePort()),
    DATA_DIR: folder,
    LEASE_MS: '1000',
    ALLOWED_ORIGINS: origin,
    SIMULATOR_TOKENS: '60',
    SIMULATOR_TOKENS_PER_SECOND: '20',
  };
  const first = await startInstance(settings);
  const browser = await launchChromium();
  onTestFinished(async () => {
    await browser.close();
    await first.stop();
    files.closeAllConnections();
    files.close();
    rmSync(folder, { recursive: true });
  });
  const page = await browser.newPage();
  const broken: string[] = [];
  page.on('pageerror', ({ message }) => broken.push(message));
  const server = `${origin}/?server=${encodeURIComponent(first.http)}`;
  await page.goto(server);
  await page.locator('#ready').getByText('yes').waitFor();
  const answer = page.evaluate(() =>
    (globalThis as unknown as { ask(): Promise<{ readonly joined: string; readonly whole: string }> }).ask(),
  );
  await page.waitForFunction("Number(document.getElementById('length').textContent) > 10");
  first.kill('SIGKILL');
  await first.exited;
  const second = await startInstance(settings);
  onTestFinished(async () => void (await second.stop()));
  const { joined, whole } = await answer;
  expect(joined).toBe(whole);
  expect(whole.length).toBeGreaterThan(100);
  expect(await page.locator('#welcomes').textContent()).toBe('2');
  const sessionId = await page.locator('#session').textContent();

  await page.goto(`${server}&session=${sessionId}`);
  await page.waitForFunction(`document.getElementById('length').textContent === '${whole.length}'`);
  expect(await page.evaluate(() => (globalThis as unknown as { texts(): string[] }).texts())).toEqual([
    whole,
  ]);
  expect(await page.locator('#session').textContent()).toBe(sessionId);
  expect(broken).toEqual([]);
});
