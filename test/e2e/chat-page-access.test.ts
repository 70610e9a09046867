/** The users of a conversation of the chat page, and the time it has left. */
import { readFileSync } from 'node:fs';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type ChatWindow, openChat, storedAnswers } from '../support/instance/chat-page.ts';
import { launchChromium } from '../support/instance/chromium.ts';
import { newIdentities, showing } from '../support/instance/identities.ts';
import { type Instance, startInstance } from '../support/instance/instance.ts';
import { started } from '../support/instance/started.ts';

const FAST = { SIMULATOR_TOKENS: '12', SIMULATOR_TOKENS_PER_SECOND: '0' };
let browser: Browser;
beforeAll(async () => {
  browser = await launchChromium();
}, 90_000);
afterAll(() => browser?.close());

/** Invites on the open dialog, and returns the link for the guest. */
async function invite({ page }: ChatWindow, user: string, access: 'read' | 'write'): Promise<string> {
  await page.click('#share');
  await page.getByLabel('User to invite').fill(user);
  await page.locator('#share-form select[name=access]').selectOption(access);
  await page.getByRole('button', { name: 'Invite' }).click();
  await page.locator('#shares').getByText(`${user} may ${access}`).waitFor();
  const link = await page.getByLabel('Send this link').inputValue();
  await page.getByRole('button', { name: 'Close', exact: true }).last().click();
  return link;
}

describe('the chat page without AUTH', () => {
  const [instance] = started(() => startInstance(FAST));

  async function named(name: string): Promise<ChatWindow> {
    const window = await openChat(browser, `${instance.http}/`);
    await window.page.fill('#name', name);
    await window.page.press('#name', 'Enter');
    await window.page.locator('#share:not([disabled])').waitFor();
    return window;
  }

  it('a share opened in a second browser shows the conversation, and its guest writes in it', async () => {
    const owner = await named('alice');
    await owner.ask('from alice');
    await owner.settled(1);
    const link = await invite(owner, 'bob', 'write');
    const guest = await openChat(browser, link);
    await guest.settled(1);
    expect(await guest.texts()).toEqual(await owner.texts());
    await guest.ask('from bob');
    await owner.settled(2);
    expect(await owner.page.locator('.question .words').allInnerTexts()).toEqual(['from alice', 'from bob']);
    expect(await owner.texts()).toEqual(await storedAnswers(instance.http, owner.sessionId()));
    await owner.close();
    await guest.close();
  });

  it('a guest who may only read gets no field to write, and a revoked guest gets nothing more', async () => {
    const owner = await named('carol');
    await owner.ask('for reading');
    await owner.settled(1);
    const guest = await openChat(browser, await invite(owner, 'dave', 'read'));
    await guest.settled(1);
    await guest.page.getByPlaceholder('You may read this conversation').waitFor();
    expect(await guest.page.locator('#question').isDisabled()).toBe(true);
    await owner.page.click('#share');
    await owner.page.getByRole('button', { name: 'Revoke the share of dave' }).click();
    await guest.page.locator('#status').getByText('You have no access to this conversation.').waitFor();
    await owner.close();
    await guest.close();
  });

  it.each([
    ['Markdown', 'md', 'the question of the file'],
    ['JSON', 'json', '"transcript"'],
    ['FHIR', 'fhir.json', '"resourceType":"Bundle"'],
  ])('a user of the chat page downloads the transcript as %s', async (format, extension, words) => {
    const window = await openChat(browser, `${instance.http}/`);
    await window.ask('the question of the file');
    await window.settled(1);
    await window.page.locator('#downloads summary').click();
    const [download] = await Promise.all([
      window.page.waitForEvent('download'),
      window.page.getByRole('button', { name: format }).click(),
    ]);
    expect(download.suggestedFilename()).toBe(`${window.sessionId()}.${extension}`);
    expect(readFileSync(await download.path(), 'utf8')).toContain(words);
    await window.close();
  });
});

it('the chat page warns before a conversation ends, and its user keeps it open', async () => {
  const instance = await startInstance({ ...FAST, SESSION_IDLE_MS: '20000', SESSION_WARN_MS: '9000' });
  const window = await openChat(browser, `${instance.http}/`);
  await window.ask('keep me');
  await window.settled(1);
  const before = await endOf(instance, window.sessionId());
  await window.page.locator('#ending').getByText('This conversation ends at').waitFor();
  await window.page.getByRole('button', { name: 'Keep it open' }).click();
  await window.page.locator('#ending').waitFor({ state: 'hidden' });
  expect(await endOf(instance, window.sessionId())).toBeGreaterThan(before);
  // A reload replays the old warning, which the page must not show.
  await window.page.reload();
  await window.settled(1);
  expect(await window.page.locator('#ending').isVisible()).toBe(false);
  // Without a click the conversation ends, and the page says so.
  await window.page.locator('#status').getByText('This conversation has ended.').waitFor();
  expect(await window.page.locator('#question').isDisabled()).toBe(true);
  await window.page.click('#new');
  await window.page.locator('#status[data-link=connected]').waitFor();
  await window.ask('a new one');
  await window.settled(1);
  await window.close();
  await instance.stop();
});

async function endOf({ http }: Instance, sessionId: string): Promise<number> {
  const reply = await fetch(`${http}/api/session/${sessionId}`);
  return ((await reply.json()) as { readonly expires_at: number }).expires_at;
}

describe('the chat page with AUTH', () => {
  const identities = newIdentities();
  const [instance] = started(() => startInstance({ ...identities.environment, ...FAST }));
  afterAll(() => identities.close());

  async function signIn(window: ChatWindow, token: string): Promise<void> {
    await window.page.getByLabel('Token').fill(token);
    await window.page.getByRole('button', { name: 'Continue' }).click();
  }

  it('the chat page asks for a token, asks again for another one, and keeps it for this tab only', async () => {
    const window = await openChat(browser, `${instance.http}/`);
    await signIn(window, 'no-token-at-all');
    await window.page.locator('#token-why').getByText('The server did not accept this token').waitFor();
    await signIn(window, await identities.token('alice'));
    await window.ask('I am proven');
    await window.settled(1);
    await window.page.reload();
    await window.settled(1);
    expect(await window.page.locator('#identity').isVisible()).toBe(false);
    // The token of one tab reaches no other: the second tab of the same browser is asked.
    const other = await window.page.context().newPage();
    await other.goto(`${instance.http}/`);
    await other.getByLabel('Token').waitFor();
    expect(await other.locator('#sessions li').count()).toBe(0);
    await window.close();
  });

  it('a proven user shares a conversation of the chat page with another proven user', async () => {
    const owner = await openChat(browser, `${instance.http}/`);
    await signIn(owner, await identities.token('alice'));
    await owner.ask('for a colleague');
    await owner.settled(1);
    const link = await invite(owner, 'erin', 'read');
    expect(link).not.toContain('erin');
    const guest = await openChat(browser, link);
    await signIn(guest, await identities.token('erin'));
    await guest.settled(1);
    const stranger = await openChat(browser, link);
    await signIn(stranger, await identities.token('mallory'));
    await stranger.page.locator('#status[data-link=connected]').waitFor();
    // The server does not say that the session exists: a stranger gets a new one.
    expect(await stranger.page.locator('.turn').count()).toBe(0);
    expect(stranger.sessionId()).not.toBe(owner.sessionId());
    const authorization = showing(await identities.token('alice'));
    const shares = await fetch(`${instance.http}/api/session/${owner.sessionId()}/shares`, {
      headers: authorization,
    });
    expect(await shares.json()).toMatchObject({ shares: [{ user_id: 'erin', access: 'read' }] });
    for (const one of [owner, guest, stranger]) await one.close();
  });
});
