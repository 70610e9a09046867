/**
 * PageFile answers with one file of a page. It compresses the file once, and a browser that has the file gets 304.
 *
 *  PAGEFILE-1  A tag names the bytes that were sent: each encoding has its own.
 *  PAGEFILE-2  Compression runs beside the event loop, and once for each encoding.
 */
import { createHash } from 'node:crypto';
import { promisify } from 'node:util';
import { brotliCompress, gzip } from 'node:zlib';
import type { HttpAnswer } from '../core/answer.ts';
import type { Route } from '../core/router.ts';

type Encoding = 'br' | 'gzip' | 'identity';
type Bodies = Partial<Record<Encoding, Promise<Uint8Array>>>;

const encoders: Readonly<Record<Encoding, (text: string) => Promise<Uint8Array>>> = {
  br: promisify<string, Uint8Array>(brotliCompress),
  gzip: promisify<string, Uint8Array>(gzip),
  identity: (text) => Promise.resolve(Buffer.from(text)),
};

/** `textOf` is called at the first request. */
export function pageFile(
  type: string,
  more: Readonly<Record<string, string>>,
  textOf: () => string,
): Route['answer'] {
  let file: { readonly text: string; readonly hash: string } | undefined;
  const bodies: Bodies = {};
  return async ({ header }): Promise<HttpAnswer> => {
    file ??= hashed(textOf());
    const encoding = encodingFor(header('accept-encoding'));
    const etag = `"${file.hash}-${encoding}"`; // PAGEFILE-1
    // The gate's own `vary` would be lost.
    const headers = { ...more, etag, vary: 'accept-encoding, origin', 'cache-control': 'no-cache' };
    if (isKnown(header('if-none-match'), etag)) return { status: 304, headers, body: '' };
    bodies[encoding] ??= encoders[encoding](file.text); // PAGEFILE-2
    const body = await bodies[encoding];
    const encoded = encoding === 'identity' ? {} : { 'content-encoding': encoding };
    return { status: 200, headers: { ...headers, ...encoded, 'content-type': type }, body };
  };
}

function hashed(text: string) {
  return { text, hash: createHash('sha256').update(text).digest('base64url').slice(0, 22) };
}

function encodingFor(accepted: string): Encoding {
  const names = accepted
    .toLowerCase()
    .split(',')
    .filter((one) => !/;\s*q=0(\.0*)?\s*$/.test(one))
    .map((one) => one.split(';')[0]?.trim());
  return (['br', 'gzip'] as const).find((name) => names.includes(name)) ?? 'identity';
}

/** A proxy that changes a body marks the tag as weak. */
function isKnown(tags: string, etag: string): boolean {
  return tags.split(',').some((tag) => tag.trim() === '*' || tag.trim().replace(/^W\//, '') === etag);
}
