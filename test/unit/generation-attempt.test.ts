/** What a scripted server can show and the simulator cannot: the exact bytes, in a bad order. */
import { createServer, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, test, vi } from 'vitest';
import type { GenerationResult } from '../../src/generation/port.ts';
import { createVllmGenerator } from '../../src/generation/vllm.ts';
import type { VllmOptions } from '../../src/generation/vllm-options.ts';
import { startWatchdog } from '../../src/generation/watchdog.ts';

const servers: Server[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) {
    server.close();
    server.closeAllConnections();
  }
});

type Script = (res: ServerResponse, path: string, headers: NodeJS.Dict<string | string[]>) => void;

async function serve(script: Script): Promise<string> {
  const server = createServer((req, res) => {
    req.resume();
    script(res, req.url ?? '', req.headers);
  });
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`;
}

const data = (value: unknown) => `data: ${JSON.stringify(value)}\n\n`;
const delta = (content: string, finish_reason: string | null = null) =>
  data({ choices: [{ index: 0, delta: { content }, finish_reason }] });
const begin = (res: ServerResponse) => res.writeHead(200, { 'content-type': 'text/event-stream' });

async function ask(
  baseUrl: string,
  options: Partial<VllmOptions> = {},
): Promise<{ result: GenerationResult; text: string }> {
  const generator = createVllmGenerator({
    baseUrls: [baseUrl],
    model: 'm',
    timeouts: { firstTokenMs: 2_000, interTokenMs: 300, totalMs: 5_000 },
    defaultMaxTokens: 10,
    ...options,
  });
  let text = '';
  const request = { sessionId: 's', turnId: 't', attempt: 2, messages: [], prefix: null, options: {} };
  const result = await generator.generate(
    request,
    (chunk) => {
      text += chunk.text;
    },
    new AbortController().signal,
  );
  await generator.close();
  return { result, text };
}

describe('an attempt', () => {
  test('that has heard its finish is complete, though the connection breaks before the usage', async () => {
    const url = await serve((res, path) => {
      if (path.endsWith('/models')) return void res.writeHead(404).end();
      begin(res).write(delta('a') + delta('b', 'stop'), () =>
        setTimeout(() => res.socket?.resetAndDestroy(), 30),
      );
    });
    const { result, text } = await ask(url);
    expect(text).toBe('ab');
    expect(result).toMatchObject({
      kind: 'completed',
      finishReason: 'stop',
      usage: { completion_tokens: 2 },
      simulated: false,
    });
  });

  test('that has heard its finish is complete, though the server never closes', async () => {
    const url = await serve((res, path) => {
      if (path.endsWith('/models')) return void res.writeHead(404).end();
      begin(res).write(delta('a', 'stop'));
    });
    expect((await ask(url)).result).toMatchObject({ kind: 'completed' });
  });

  test('that got [DONE] without a finish is truncated', async () => {
    const url = await serve((res) => void begin(res).end(`${delta('a')}data: [DONE]\n\n`));
    expect((await ask(url)).result).toMatchObject({ kind: 'failed', code: 'upstream_truncated' });
  });

  test('that got nothing at all is truncated', async () => {
    const url = await serve((res) => void begin(res).end());
    expect((await ask(url)).result).toMatchObject({ kind: 'failed', code: 'upstream_truncated' });
  });

  test('is not sent on to where a redirect points', async () => {
    let reached = 0;
    const elsewhere = await serve((res) => {
      reached += 1;
      res.end();
    });
    const url = await serve(
      (res) => void res.writeHead(307, { location: `${elsewhere}/chat/completions` }).end(),
    );
    expect((await ask(url)).result).toMatchObject({
      kind: 'failed',
      code: 'upstream_rejected',
      retryable: false,
    });
    expect(reached).toBe(0);
  });

  test('sends the key only where there is one, and its names in headers', async () => {
    const seen: NodeJS.Dict<string | string[]>[] = [];
    const url = await serve((res, _path, headers) => {
      seen.push(headers);
      begin(res).end(delta('a', 'stop'));
    });
    await ask(url);
    expect(seen.at(-1)).toMatchObject({ 'x-request-id': 't-2', 'x-session-id': 's' });
    expect(seen.every((headers) => headers.authorization === undefined)).toBe(true);
    await ask(url, { apiKey: 'k' });
    expect(seen.at(-1)?.authorization).toBe('Bearer k');
  });

  test('asks once: a 503 is told, not tried again behind our back', async () => {
    let calls = 0;
    const url = await serve((res, path) => {
      if (path.endsWith('/completions')) calls += 1;
      res.writeHead(503, { 'retry-after': '0' }).end();
    });
    expect((await ask(url)).result).toMatchObject({ code: 'upstream_unavailable' });
    expect(calls).toBe(1);
  });

  test('without a model to name fails when the list of models cannot be had', async () => {
    const url = await serve((res) => void res.writeHead(401).end('{"error":"Unauthorized"}'));
    const generator = createVllmGenerator({
      baseUrls: [url],
      timeouts: { firstTokenMs: 2_000, interTokenMs: 300, totalMs: 5_000 },
      defaultMaxTokens: 10,
    });
    const request = { sessionId: 's', turnId: 't', attempt: 1, messages: [], prefix: null, options: {} };
    const result = await generator.generate(request, () => {}, new AbortController().signal);
    expect(result).toMatchObject({ kind: 'failed', code: 'upstream_unauthorized', retryable: false });
  });

  test('that hangs on the list of models is ended by the first-token limit', async () => {
    const url = await serve(() => {});
    const timeouts = { firstTokenMs: 100, interTokenMs: 300, totalMs: 5_000 };
    expect((await ask(url, { timeouts })).result).toMatchObject({
      kind: 'failed',
      code: 'first_token_timeout',
    });
  });
});

describe('the watchdog', () => {
  const timeouts = { firstTokenMs: 100, interTokenMs: 50, totalMs: 1_000 };
  afterEach(() => {
    vi.useRealTimers();
  });

  test('an empty chunk is no first token, but any chunk after it breaks a silence', () => {
    vi.useFakeTimers();
    const watchdog = startWatchdog(timeouts, new AbortController().signal);
    watchdog.heard(false);
    vi.advanceTimersByTime(99);
    expect(watchdog.cause).toBeNull();
    watchdog.heard(true);
    for (let n = 0; n < 5; n += 1) {
      vi.advanceTimersByTime(49);
      watchdog.heard(false);
    }
    expect(watchdog.cause).toBeNull();
    vi.advanceTimersByTime(50);
    expect(watchdog.cause).toBe('inter_token_timeout');
    expect(watchdog.signal.aborted).toBe(true);
  });

  test('a lively stream still ends at the total limit', () => {
    vi.useFakeTimers();
    const watchdog = startWatchdog(timeouts, new AbortController().signal);
    for (let n = 0; n < 50; n += 1) {
      watchdog.heard(true);
      vi.advanceTimersByTime(20);
    }
    expect(watchdog.cause).toBe('total_timeout');
  });

  test('the first cause stays, and a disposed one is silent', () => {
    vi.useFakeTimers();
    const client = new AbortController();
    const watchdog = startWatchdog(timeouts, client.signal);
    client.abort();
    vi.advanceTimersByTime(5_000);
    watchdog.stop('total_timeout');
    expect(watchdog.cause).toBe('client');

    const disposed = startWatchdog(timeouts, new AbortController().signal);
    disposed.dispose();
    vi.advanceTimersByTime(5_000);
    expect(disposed.cause).toBeNull();
    expect(vi.getTimerCount()).toBe(0);
  });
});
