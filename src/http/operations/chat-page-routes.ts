/**
 * Serves `GET /`, a chat for browsers, from the files that the build wrote. Its content security policy allows files of
 * this service only: words of users and of models could do no harm even if they became markup.
 */
import { existsSync, readFileSync } from 'node:fs';
import { z } from 'zod';
import type { Authenticator } from '../../identity/authenticator.ts';
import { isLoopback } from '../../startup/address.ts';
import type { HttpPorts } from '../core/ports.ts';
import type { Route } from '../core/router.ts';
import { pageFile } from './page-file.ts';

const REST = "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; object-src 'none'";
const STRICT = { 'content-security-policy': `default-src 'self'; ${REST}` };
/** On a page of this machine, the demo moves between instances of this machine. */
const DEMO = {
  'content-security-policy': `default-src 'self'; connect-src 'self' ws://127.0.0.1:* ws://localhost:*; ${REST}`,
};

const HTML = 'text/html; charset=utf-8';
const SCRIPT = 'text/javascript; charset=utf-8';
const STYLE = 'text/css; charset=utf-8';

/** `npm run dev` runs the sources, and takes the page from the build. */
function textOf(name: string): string {
  const beside = new URL(`../../client/page/${name}`, import.meta.url);
  const built = new URL(`../../../dist/src/client/page/${name}`, import.meta.url);
  return readFileSync(existsSync(built) ? built : beside, 'utf8');
}

/** What the page asks of its user: nothing, a token, or nothing because a proxy in front of the service proves the user. */
function proofOf({ isOff, readsBearers }: Authenticator): 'none' | 'token' | 'proxy' {
  if (isOff) return 'none';
  return readsBearers === false ? 'proxy' : 'token';
}

export function chatPageRoutes({ authenticator }: Pick<HttpPorts, 'authenticator'>): readonly Route[] {
  const html = () => textOf('chat.html').replace('data-proof=""', `data-proof="${proofOf(authenticator)}"`);
  const page = pageFile(HTML, STRICT, html);
  const demo = pageFile(HTML, DEMO, html);
  const file = (name: string, type: string): Route => ({
    method: 'GET',
    path: `/chat/${name}`,
    answer: pageFile(type, STRICT, () => textOf(name)),
  });
  return [
    {
      method: 'GET',
      path: '/',
      describe: {
        name: 'getChat',
        summary: 'A chat for browsers',
        answers: { 200: { description: 'The page.', content: { 'text/html': z.string() } } },
      },
      answer(request) {
        const isDemo = request.query.has('demo') && isOfThisMachine(request.header('host'));
        return (isDemo ? demo : page)(request);
      },
    },
    file('chat.js', SCRIPT),
    file('chat.css', STYLE),
    file('icon.svg', 'image/svg+xml'),
  ];
}

function isOfThisMachine(host: string): boolean {
  return URL.canParse(`http://${host}`) && isLoopback(new URL(`http://${host}`).hostname);
}
