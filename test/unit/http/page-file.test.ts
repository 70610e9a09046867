import { brotliDecompressSync, gunzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import type { HttpRequest } from '../../../src/http/core/request.ts';
import { pageFile } from '../../../src/http/operations/page-file.ts';

const TEXT = 'a file of a page, '.repeat(200);

async function ask(headers: Readonly<Record<string, string>>, answer = pageFile('text/css', {}, () => TEXT)) {
  return answer({ header: (name: string) => headers[name] ?? '' } as HttpRequest);
}

describe('a file of a page', () => {
  it.each([
    ['br', 'gzip, deflate, br', brotliDecompressSync],
    ['gzip', 'gzip;q=0.5, br;q=0', gunzipSync],
  ] as const)(
    'a browser gets a file of a page compressed with %s if it takes %s',
    async (name, accepted, decode) => {
      const { status, headers, body } = await ask({ 'accept-encoding': accepted });
      expect(status).toBe(200);
      expect(headers).toMatchObject({ 'content-encoding': name, vary: 'accept-encoding, origin' });
      expect((body as Uint8Array).length).toBeLessThan(TEXT.length / 5);
      expect(decode(body as Uint8Array).toString()).toBe(TEXT);
    },
  );

  it('a client that takes no compression gets the file of a page as it is', async () => {
    const { headers, body } = await ask({});
    expect(headers).not.toHaveProperty('content-encoding');
    expect(Buffer.from(body as Uint8Array).toString()).toBe(TEXT);
  });

  it('a browser that has the file of a page gets 304, each encoding by its own tag', async () => {
    const answer = pageFile('text/css', {}, () => TEXT);
    const tagOf = async (accepted: string) =>
      (await ask({ 'accept-encoding': accepted }, answer)).headers.etag ?? '';
    const [br, gzip] = [await tagOf('br'), await tagOf('gzip')];
    expect(br).not.toBe(gzip);
    const known = (accepted: string, tags: string) =>
      ask({ 'accept-encoding': accepted, 'if-none-match': tags }, answer);
    expect(await known('br', br)).toMatchObject({ status: 304, body: '', headers: { etag: br } });
    expect((await known('br', `"other", W/${br}`)).status).toBe(304);
    expect((await known('gzip', br)).status).toBe(200);
  });

  it('another text of the file of a page has another tag', async () => {
    const one = await ask({});
    const other = await ask(
      {},
      pageFile('text/css', {}, () => `${TEXT}!`),
    );
    expect(one.headers.etag).not.toBe(other.headers.etag);
  });
});
