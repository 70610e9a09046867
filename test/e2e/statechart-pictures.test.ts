/** The pictures of the statechart in a real browser: its own fonts, a dark screen, paper. */

import { pathToFileURL } from 'node:url';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { launchChromium } from '../support/instance/chromium.ts';

const pictures = ['session', 'session-overview', 'session-coverage', 'session-diff'];
let browser: Browser;
let page: Page;

beforeAll(async () => {
  browser = await launchChromium();
  page = await browser.newPage();
});
afterAll(() => browser?.close());

const open = (name: string) => page.goto(pathToFileURL(`docs/diagrams/${name}.svg`).href);

/** The brightness of the paper, the inks and the rims, from 0 to 255. */
const brightness = () =>
  page.evaluate(`(() => {
    const of = (colour) => colour.match(/\\d+/g).slice(0, 3).reduce((sum, part) => sum + Number(part), 0) / 3;
    const paper = of(getComputedStyle(document.querySelector('svg > rect')).fill);
    const inks = [...document.querySelectorAll('text')].map((text) => of(getComputedStyle(text.querySelector('tspan') ?? text).fill));
    return { paper, contrast: Math.min(...inks.map((ink) => Math.abs(ink - paper))) };
  })()`) as Promise<{ paper: number; contrast: number }>;

describe.each(pictures)('%s.svg', (name) => {
  test(`a dark screen shows light text on dark ground, and paper dark text on white: ${name}`, async () => {
    await page.emulateMedia({ media: 'screen', colorScheme: 'dark' });
    await open(name);
    expect((await brightness()).paper).toBeLessThan(30);
    expect((await brightness()).contrast).toBeGreaterThan(90);
    await page.emulateMedia({ media: 'print', colorScheme: 'dark' });
    expect((await brightness()).paper).toBe(255);
    expect((await brightness()).contrast).toBeGreaterThan(90);
    await page.emulateMedia({ media: 'screen', colorScheme: 'light' });
    expect((await brightness()).paper).toBe(255);
  });

  test(`no label is wider than its frame, and no text leaves the picture: ${name}`, async () => {
    await open(name);
    const outside = await page.evaluate(`(() => {
      const picture = document.documentElement.getBoundingClientRect();
      return [...document.querySelectorAll('text')].filter((text) => {
        const own = text.getBoundingClientRect();
        const frame = text.parentElement.querySelector(':scope > rect')?.getBoundingClientRect() ?? picture;
        return own.left < frame.left || own.right > frame.right || own.bottom > frame.bottom + 1;
      }).map((text) => text.textContent);
    })()`);
    expect(outside).toEqual([]);
  });

  test(`the browser names the picture by its title and its description: ${name}`, async () => {
    await open(name);
    const named = await page.evaluate(`(() => {
      const ids = document.documentElement.getAttribute('aria-labelledby').split(' ');
      return ids.map((id) => document.getElementById(id).textContent.length > 20);
    })()`);
    expect(named).toEqual([true, true]);
  });
});

test('a page finds the line that a transition took by its ends and its event', async () => {
  await open('session');
  const found = await page.evaluate(
    `document.querySelectorAll('path[data-from="session.connected"][data-event~="message"][data-to="session.processing"]').length`,
  );
  expect(found).toBe(1);
});
