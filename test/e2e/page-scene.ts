/** What the tests of pages do as a user: open a page, type a question, read the answer, reload in the middle of it. */
import type { Browser, Page } from 'playwright-core';
import { expect, onTestFinished } from 'vitest';

/** An answer of eight seconds: pages reload, and instances take over, in the middle of it. */
export const PACE = { tokens: 240, tokensPerSecond: 30 } as const;
/** A dead owner's sessions move after this time. */
export const LEASE_MS = '1000';
const QUESTION = 'My knee hurts, and it began three days ago.';
export const ASKED = [{ role: 'user', content: QUESTION }] as const;

export interface OpenPage {
  readonly page: Page;
  /** Errors that the page did not catch. */
  readonly broken: readonly string[];
  ask(): Promise<void>;
  /** The texts of the answers on the page. */
  answers(): Promise<readonly string[]>;
  questions(): Promise<readonly string[]>;
  /** Waits until the last answer has more than so many characters. */
  shows(characters: number): Promise<void>;
  /** Waits for the page's own word of its state. */
  says(status: string): Promise<void>;
  press(button: string): Promise<void>;
}

/** Opens a page of `origin` for the service at `server`; `more` is the rest of its query. */
export async function openPage(
  browser: Browser,
  origin: string,
  server: string,
  more = '',
): Promise<OpenPage> {
  const context = await browser.newContext();
  onTestFinished(() => context.close());
  const page = await context.newPage();
  // A bound on a wait, for a machine that has other things to do.
  page.setDefaultTimeout(60_000);
  const broken: string[] = [];
  page.on('pageerror', ({ message }) => broken.push(message));
  await page.goto(`${origin}/?server=${encodeURIComponent(server)}${more}`);
  const press = (name: string) => page.getByRole('button', { name, exact: true }).click();
  return {
    page,
    broken,
    press,
    async ask() {
      await page.getByRole('textbox').fill(QUESTION);
      await press('Send');
    },
    answers: () => page.locator('.assistant').allTextContents(),
    questions: () => page.locator('.user').allTextContents(),
    shows: async (characters) => {
      const last = `[...document.querySelectorAll('.assistant')].at(-1)`;
      await page.waitForFunction(`(${last}?.textContent.length ?? 0) > ${characters}`);
    },
    says: (status) => page.getByRole('status').getByText(status, { exact: true }).waitFor(),
  };
}

/** The page shows the question and the whole answer, each once. */
export async function expectWhole(open: OpenPage, whole: string): Promise<void> {
  expect(await open.answers()).toEqual([whole]);
  expect(await open.questions()).toEqual([QUESTION]);
  expect(open.broken).toEqual([]);
}

/** The page shows a part of the answer: what the test does next happens in the middle of it. */
export async function expectPart(open: OpenPage, whole: string): Promise<void> {
  const [text = ''] = await open.answers();
  expect(text).not.toBe('');
  expect(text.length).toBeLessThan(whole.length);
  expect(whole.startsWith(text)).toBe(true);
}
