/**
 * Serves `GET /docs`, a page that shows `/openapi.json` and sends requests that a reader tries out. Everything comes from
 * this service: the library is copied into the build (docs/adr/0028).
 *
 *  REFERENCE-1  Strangers get the page, and its library is large. Its bodies are bounded like those of long conversations
 *               (LONGREAD-3), apart from these: no stranger takes the place of a reader of a conversation.
 */
import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { z } from 'zod';
import { LongReads, PIECE_LENGTH } from '../core/long-reads.ts';
import type { Route } from '../core/router.ts';

const HEADERS = {
  // No script and no style is inline. The library's style sheet has pictures as `data:`.
  'content-security-policy':
    "default-src 'self'; img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; object-src 'none'",
  'cache-control': 'no-cache',
};
const HTML = 'text/html; charset=utf-8';
const SCRIPT = 'text/javascript; charset=utf-8';
const STYLE = 'text/css; charset=utf-8';

const pageFile = (name: string) => new URL(`./reference/${name}`, import.meta.url);

/** `npm run dev` has no build: there the library is where npm put it. */
function libraryFile(name: string): URL | string {
  const copied = pageFile(`swagger-ui/${name}`);
  return existsSync(copied) ? copied : createRequire(import.meta.url).resolve(`swagger-ui-dist/${name}`);
}

export function referenceRoutes(): readonly Route[] {
  const longReads = new LongReads(() => null); // REFERENCE-1
  const fileRoute = (path: string, type: string, fileOf: () => URL | string): Route => {
    const headers = { ...HEADERS, 'content-type': type };
    let text: string | undefined;
    return {
      method: 'GET',
      path,
      answer(request) {
        text ??= readFileSync(fileOf(), 'utf8');
        return longReads.answer(request, headers, piecesOf(text));
      },
    };
  };
  return [
    {
      ...fileRoute('/docs', HTML, () => pageFile('reference.html')),
      describe: {
        name: 'getReference',
        summary: 'A page that shows this document and sends requests',
        answers: { 200: { description: 'The page.', content: { 'text/html': z.string() } } },
      },
    },
    fileRoute('/docs/reference.js', SCRIPT, () => pageFile('reference.js')),
    fileRoute('/docs/swagger-ui.css', STYLE, () => libraryFile('swagger-ui.css')),
    fileRoute('/docs/swagger-ui-bundle.js', SCRIPT, () => libraryFile('swagger-ui-bundle.js')),
  ];
}

function* piecesOf(text: string): Generator<string> {
  // By characters, not by UTF-16 units: half a surrogate pair would become U+FFFD.
  for (let at = 0; at < text.length; ) {
    const end = at + PIECE_LENGTH;
    const isSplit = end < text.length && /[\uD800-\uDBFF]/.test(text.charAt(end - 1));
    const next = isSplit ? end + 1 : end;
    yield text.slice(at, next);
    at = next;
  }
}
