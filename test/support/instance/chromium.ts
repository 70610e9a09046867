/** A real Chromium for tests of pages. CHROMIUM names the browser where the test cannot find one. */
import { join } from 'node:path';
import { type Browser, chromium } from 'playwright-core';
import { isExecutable, searched } from './processes.ts';

const FLAGS = [
  '--headless',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

function findChromium(): string {
  const named = process.env.CHROMIUM;
  if (named !== undefined && named !== '') return named;
  const folders = searched('/usr/bin', '/snap/bin');
  const programs = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable'];
  const candidates = [
    ...folders.flatMap((folder) => programs.map((program) => join(folder, program))),
    '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
    '/Applications/Chromium.app/Contents/MacOS/Chromium',
  ];
  const found = candidates.find(isExecutable);
  if (found === undefined)
    throw new Error('no Chromium found: install it (apt-get install chromium) or set CHROMIUM to its path');
  return found;
}

export function launchChromium(): Promise<Browser> {
  return chromium.launch({ executablePath: findChromium(), args: FLAGS });
}
