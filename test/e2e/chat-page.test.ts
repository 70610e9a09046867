/** A conversation on the chat page, in a real Chromium. */
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type ChatWindow, hasWritten, openChat, storedAnswers } from '../support/instance/chat-page.ts';
import { launchChromium } from '../support/instance/chromium.ts';
import { type Instance, startInstance } from '../support/instance/instance.ts';
import { started } from '../support/instance/started.ts';

const [instance, slow] = started(
  () => startInstance({ SIMULATOR_TOKENS: '60', SIMULATOR_TOKENS_PER_SECOND: '40' }),
  // An answer that a user can do several things in.
  () => startInstance({ SIMULATOR_TOKENS: '200', SIMULATOR_TOKENS_PER_SECOND: '10' }),
);
let browser: Browser;
beforeAll(async () => {
  browser = await launchChromium();
}, 90_000);
afterAll(() => browser?.close());

async function chat(path = '/', { http }: Pick<Instance, 'http'> = instance): Promise<ChatWindow> {
  const window = await openChat(browser, `${http}${path}`);
  await window.page.locator('#status[data-link=connected]').waitFor();
  return window;
}

const stored = (window: ChatWindow) => storedAnswers(instance.http, window.sessionId());

it('the chat page writes an answer as it comes, marks it as simulated, and shows the stored text exactly', async () => {
  const window = await chat();
  await window.ask('My knee hurts.');
  await hasWritten(window, 20);
  expect(await window.page.locator('.turn').getAttribute('data-outcome')).toBe('running');
  await window.settled(1);
  expect(await window.texts()).toEqual(await stored(window));
  expect(await window.page.locator('.question').textContent()).toContain('My knee hurts.');
  expect(await window.page.locator('.answer .mark').textContent()).toBe('Simulated');
  expect(await window.page.locator('#simulated').textContent()).toContain('its answers mean nothing');
  expect(await window.page.title()).toBe('My knee hurts. · Rehydra');
  expect(window.complaints).toEqual([]);
  await window.close();
});

it('a user of the chat page stops an answer, and the page keeps the text so far', async () => {
  const window = await chat();
  await window.ask('stop me');
  await hasWritten(window, 10);
  await window.page.click('#stop');
  await window.settled(1, 'cancelled');
  expect(await window.page.locator('.remark').textContent()).toBe('Stopped');
  expect(await window.page.locator('#stop').isVisible()).toBe(false);
  expect(await window.texts()).toEqual(await stored(window));
  await window.close();
});

it('a message during an answer waits on the chat page, and its user can take it back', async () => {
  const window = await chat('/', slow);
  await window.ask('first');
  await hasWritten(window, 1);
  await window.ask('second');
  await window.ask('third');
  const waiting = window.page.locator('#waiting li');
  await waiting.getByText('third').waitFor();
  expect(await waiting.locator('span').allInnerTexts()).toEqual(['second', 'third']);
  await waiting.filter({ hasText: 'second' }).getByRole('button').click();
  await waiting.getByText('second').waitFor({ state: 'detached' });
  await window.page.click('#stop');
  await window.page.locator('.question .words').getByText('third').waitFor();
  await hasWritten(window, 1);
  await window.page.click('#stop');
  await window.settled(2, 'cancelled');
  expect(await window.page.locator('.question .words').allInnerTexts()).toEqual(['first', 'third']);
  expect(await waiting.count()).toBe(0);
  await window.close();
});

it('a message that waits on the chat page has its words after a reload, and can still be taken back', async () => {
  const window = await chat('/', slow);
  const waiting = window.page.locator('#waiting li');
  await window.ask('runs');
  await hasWritten(window, 1);
  await window.ask('waits');
  await waiting.getByText('waits').waitFor();
  await window.page.reload();
  await waiting.getByText('waits').waitFor();
  await hasWritten(window, 1);
  await waiting.getByRole('button').click();
  await waiting.waitFor({ state: 'detached' });
  await window.page.click('#stop');
  await window.settled(1, 'cancelled');
  expect(window.complaints).toEqual([]);
  await window.close();
});

it('a message of the chat page with the policy interrupt ends the running answer and gets the next one', async () => {
  const window = await chat('/', slow);
  await window.ask('slow question');
  await hasWritten(window, 1);
  await window.page.selectOption('#policy', 'interrupt');
  await window.ask('quick question');
  await window.page.locator('.question .words').getByText('quick question').waitFor();
  await window.page.click('#stop');
  await window.settled(2, 'cancelled');
  expect(await window.page.locator('.turn').first().getAttribute('data-outcome')).toBe('cancelled');
  expect(await window.page.locator('.remark').first().textContent()).toBe('Interrupted by the next message');
  await window.close();
});

it('a user of the chat page has a question answered again, edits it, and forks the conversation', async () => {
  const window = await chat();
  const { page } = window;
  await window.ask('one');
  await window.settled(1);
  await window.ask('two');
  await window.settled(2);
  const turnId = await page.locator('.turn').last().getAttribute('data-turn');

  await page.locator('.turn').last().getByRole('button', { name: 'Answer again' }).click();
  await page.locator(`[data-turn="${turnId}"]`).waitFor({ state: 'detached' });
  await window.settled(2);
  expect(await window.texts()).toEqual(await stored(window));

  await page.locator('.turn').last().getByRole('button', { name: 'Edit' }).click();
  await page.getByRole('textbox', { name: 'Your message' }).fill('two, better');
  await page.locator('.turn').last().getByRole('button', { name: 'Send' }).click();
  await page.locator('.question .words').getByText('two, better').waitFor();
  await window.settled(2);
  expect(await page.locator('.question .words').allInnerTexts()).toEqual(['one', 'two, better']);

  const origin = window.sessionId();
  const before = await window.texts();
  await page.locator('.turn').first().getByRole('button', { name: 'Fork from here' }).click();
  await page.waitForURL((url) => url.hash !== `#session=${origin}`);
  await page.locator('.turn').getByText('one', { exact: true }).waitFor();
  expect(await window.texts()).toEqual(before.slice(0, 1));
  await window.ask('another way');
  await window.settled(2);
  // The list opens the conversation that was forked, unchanged.
  await page.locator('.session:not([aria-current])').click();
  await page.waitForURL((url) => url.hash === `#session=${origin}`);
  await page.locator('.question .words').getByText('two, better').waitFor();
  expect(await window.texts()).toEqual(before);
  expect(window.complaints).toEqual([]);
  await window.close();
});

it('the chat page finds its conversation again after a reload, a running answer included', async () => {
  const window = await chat();
  await window.ask('before');
  await window.settled(1);
  await window.ask('during');
  await hasWritten(window, 10);
  await window.page.reload();
  await window.settled(2);
  expect(await window.texts()).toEqual(await stored(window));
  expect(await window.page.locator('.question .words').allInnerTexts()).toEqual(['before', 'during']);
  await window.close();
});

it('the demo of the chat page kills the connection in mid-answer, and the text has no gap and no repeat', async () => {
  const window = await chat('/?demo');
  await window.ask('cut me');
  await hasWritten(window, 10);
  await window.page.getByRole('button', { name: 'Kill the connection' }).click();
  await window.page.locator('.figures').getByText('2 connections').waitFor();
  await window.settled(1);
  expect(await window.texts()).toEqual(await stored(window));
  expect(await window.page.locator('.figures').textContent()).toMatch(/last resumed after frame [1-9]\d*$/);
  expect(window.complaints).toEqual([]);
  await window.close();
});

it('patient data of the form of the chat page goes to the session with the next message, once', async () => {
  const window = await chat();
  const { page } = window;
  await page.click('#patient');
  await page.getByLabel('Age', { exact: true }).fill('61');
  await page.getByLabel('Heart rate').fill('88');
  await page.getByRole('button', { name: 'Use' }).click();
  await page.locator('#patient-note').getByText('Patient data goes with your next message.').waitFor();
  const frames: string[] = [];
  const context = await page.context().newCDPSession(page);
  await context.send('Network.enable');
  context.on('Network.webSocketFrameSent', ({ response }) => frames.push(response.payloadData));
  await window.ask('What do you know of me?');
  await window.settled(1);
  await window.ask('And now?');
  await window.settled(2);
  const patients = frames
    .map((text) => JSON.parse(text) as { readonly type: string; readonly patient?: unknown })
    .filter(({ type }) => type === 'message')
    .map(({ patient }) => patient);
  expect(patients).toEqual([{ age: '61', vitals: { heart_rate: '88' } }, undefined]);
  expect(await page.locator('#patient-note').isVisible()).toBe(false);
  await window.close();
});

it('words of users on the chat page stay words: markup in a question creates no element and runs no script', async () => {
  const window = await chat();
  const markup = '<img src=x onerror="document.title=1"><b>bold</b>';
  await window.ask(markup);
  await window.settled(1);
  expect(await window.page.locator('.question .words').textContent()).toBe(markup);
  expect(await window.page.locator('#log img, #log b, #sessions img').count()).toBe(0);
  expect(window.complaints).toEqual([]);
  await window.close();
});
