import { once } from 'node:events';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, expect, it, vi } from 'vitest';
import { createUpstream } from '../../../src/generation/upstream/upstream.ts';

const MINUTE_MS = 60_000;

afterEach(() => {
  vi.useRealTimers();
});

/** A model server that sends bytes only on the test's command. */
async function silentServer(): Promise<{ url: string; asked: Promise<ServerResponse>; close(): void }> {
  const server = createServer();
  const asked = once(server, 'request').then(([req, res]) => {
    req.resume();
    return res as ServerResponse;
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const close = (): void => {
    server.close();
    server.closeAllConnections();
  };
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`, asked, close };
}

it('a model server may be silent for an hour, before its headers and within its answer', async () => {
  const { url, asked, close } = await silentServer();
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval'] });
  const upstream = createUpstream({ baseUrl: url, apiKey: null, model: 'm', totalMs: 600 * MINUTE_MS });
  const call = { api: 'chat' as const, body: { model: 'm', stream: true } };
  const answer = upstream.stream(call as never, 'r', new AbortController().signal);
  const response = await asked;
  await vi.advanceTimersByTimeAsync(60 * MINUTE_MS);
  response.writeHead(200, { 'content-type': 'text/event-stream' });
  response.write('data: {"choices":[{"index":0,"delta":{"content":"a"}}]}\n\n');
  const events = (await answer)[Symbol.asyncIterator]();
  expect((await events.next()).done).toBe(false);
  await vi.advanceTimersByTimeAsync(60 * MINUTE_MS);
  response.end('data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n');
  expect((await events.next()).done).toBe(false);
  close();
});
