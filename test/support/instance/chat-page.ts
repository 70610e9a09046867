/** The chat at `/` in a real Chromium, as its user sees it. */
import type { Browser, BrowserContextOptions, Locator, Page } from 'playwright-core';
import { eventually } from './observed.ts';

export interface ChatWindow {
  readonly page: Page;
  /** Addresses of all requests. */
  readonly asked: readonly string[];
  /** Errors and warnings of the page. */
  readonly complaints: readonly string[];
  /** The answers on the page, in order. */
  readonly answers: Locator;
  /** Sends a message with the keyboard. */
  ask(content: string): Promise<void>;
  /** The page shows so many turns, and the last one has ended. */
  settled(turns: number, outcome?: string): Promise<void>;
  sessionId(): string;
  texts(): Promise<readonly string[]>;
  close(): Promise<void>;
}

export async function openChat(
  browser: Browser,
  address: string,
  options: BrowserContextOptions = {},
): Promise<ChatWindow> {
  const context = await browser.newContext(options);
  const page = await context.newPage();
  const asked: string[] = [];
  const complaints: string[] = [];
  page.on('request', (request) => asked.push(request.url()));
  page.on('pageerror', (error) => complaints.push(error.message));
  page.on('console', (message) => {
    // Chromium reports a socket whose server was killed.
    const isExpected = message.text().includes('WebSocket connection to');
    if (['error', 'warning'].includes(message.type()) && !isExpected) complaints.push(message.text());
  });
  await page.goto(address);
  const answers = page.locator('.answer > .words');
  return {
    page,
    asked,
    complaints,
    answers,
    async ask(content) {
      await page.fill('#question', content);
      await page.press('#question', 'Enter');
    },
    async settled(turns, outcome = 'completed') {
      await page.locator(`.turn:nth-child(${turns})[data-outcome=${outcome}]:last-child`).waitFor();
    },
    sessionId: () => new URLSearchParams(new URL(page.url()).hash.slice(1)).get('session') ?? '',
    texts: () => answers.evaluateAll((all) => all.map((one) => one.textContent ?? '')),
    close: () => context.close(),
  };
}

/** The answers that the service has stored, in order. */
export async function storedAnswers(http: string, sessionId: string): Promise<readonly string[]> {
  const reply = await fetch(`${http}/api/session/${sessionId}/transcript`);
  const { transcript } = (await reply.json()) as {
    readonly transcript: readonly { readonly role: string; readonly content: string }[];
  };
  return transcript.filter(({ role }) => role === 'assistant').map(({ content }) => content);
}

/** Waits until the running answer on the page has more than so many characters. */
export async function hasWritten({ page }: ChatWindow, characters: number): Promise<void> {
  const running = page.locator('.turn[data-outcome=running] .answer > .words');
  await eventually(
    `an answer of ${characters} characters`,
    async () => (await running.allTextContents()).join(''),
    (text) => text.length > characters,
  );
}
