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

it.each(['undici', 'openai'] as const)(
  'a model server may be silent for an hour over %s, before its headers and within its answer',
  async (transport) => {
    const { url, asked, close } = await silentServer();
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval'] });
    const totalMs = 600 * MINUTE_MS;
    const upstream = createUpstream({ baseUrl: url, apiKey: null, model: 'm', totalMs, transport });
    const call = { api: 'chat' as const, body: { model: 'm', stream: true }, sessionId: 's' };
    const ends: unknown[] = [];
    const values: unknown[] = [];
    const onValue = (value: unknown): void => void values.push(value);
    upstream.ask(call, 'r', { onValue, onEnd: (failure) => ends.push(failure) });
    const response = await asked;
    await vi.advanceTimersByTimeAsync(60 * MINUTE_MS);
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    response.write('data: {"choices":[{"index":0,"delta":{"content":"a"}}]}\n\n');
    await vi.waitFor(() => expect(values).toHaveLength(1));
    await vi.advanceTimersByTimeAsync(60 * MINUTE_MS);
    response.end('data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n');
    await vi.waitFor(() => expect(values).toHaveLength(2));
    expect(ends.filter((failure) => failure !== null)).toEqual([]);
    close();
  },
);
