/**
 * Serves `GET /dashboard`, a page with charts of `/api/analytics`. Its content security policy allows files of this
 * service only: text of users that the page shows could do no harm even if it became markup.
 */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { z } from 'zod';
import { builtOnce, type Route } from '../core/router.ts';

const HEADERS = {
  'content-security-policy':
    "default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; object-src 'none'",
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'cache-control': 'no-cache',
};
const SCRIPT = 'text/javascript; charset=utf-8';

const pageFile = (name: string) => new URL(`./dashboard/${name}`, import.meta.url);

export function dashboardRoutes(): readonly Route[] {
  return [
    {
      ...fileRoute('/dashboard', 'text/html; charset=utf-8', pageFile('dashboard.html')),
      describe: {
        name: 'getDashboard',
        summary: 'A page with charts of `/api/analytics`',
        answers: { 200: { description: 'The page.', content: { 'text/html': z.string() } } },
      },
    },
    fileRoute('/dashboard/dashboard.css', 'text/css; charset=utf-8', pageFile('dashboard.css')),
    fileRoute('/dashboard/dashboard.js', SCRIPT, pageFile('dashboard.js')),
    fileRoute('/dashboard/icon.svg', 'image/svg+xml', pageFile('icon.svg')),
    fileRoute('/dashboard/chart.js', SCRIPT, chartLibrary()),
  ];
}

function fileRoute(route: string, type: string, file: URL | string): Route {
  const headers = { ...HEADERS, 'content-type': type };
  const answer = builtOnce(() => ({ status: 200, headers, body: readFileSync(file, 'utf8') }));
  return { method: 'GET', path: route, answer };
}

/** The build for browsers, beside the one that the package exports. */
function chartLibrary(): string {
  const main = createRequire(import.meta.url).resolve('chart.js');
  return path.join(path.dirname(main), 'chart.umd.min.js');
}
