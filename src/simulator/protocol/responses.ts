/** The two ways a simulator answers without a stream. */
import type { ServerResponse } from 'node:http';
import type { Refusal } from './refusals.ts';

export function sendJson(res: ServerResponse, status: number, body: unknown): void {
  send(res, status, JSON.stringify(body), 'application/json');
}

export function sendText(res: ServerResponse, status: number, body: string, contentType: string): void {
  send(res, status, body, contentType);
}

export function sendRefusal(res: ServerResponse, refusal: Refusal): void {
  const isText = refusal.contentType !== undefined && typeof refusal.body === 'string';
  const body = isText ? String(refusal.body) : JSON.stringify(refusal.body);
  send(res, refusal.status, body, refusal.contentType ?? 'application/json', refusal.headers);
}

function send(
  res: ServerResponse,
  status: number,
  body: string,
  contentType: string,
  headers: Readonly<Record<string, string>> = {},
): void {
  if (res.headersSent || res.destroyed) return;
  res.writeHead(status, {
    ...headers,
    'content-type': contentType,
    'content-length': Buffer.byteLength(body),
  });
  res.end(body);
}
