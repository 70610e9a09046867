/** Attempts at a scripted server, which controls the exact bytes and their order. */
import { afterEach, describe, expect, test, vi } from 'vitest';
import { startWatchdog } from '../../../src/generation/upstream/watchdog.ts';
import { createVllmGenerator } from '../../../src/generation/vllm.ts';
import { transport } from '../../support/transport.ts';
import {
  askUpstream as ask,
  beginStream as begin,
  deltaOf as delta,
  type Script,
  type ScriptedUpstream,
  startScriptedUpstream,
} from './scripted-upstream.ts';

const servers: ScriptedUpstream[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) server.close();
});

async function serve(script: Script): Promise<string> {
  const server = await startScriptedUpstream(script);
  servers.push(server);
  return server.url;
}

describe('an attempt', () => {
  test('an answer is complete after its finish reason, even if the connection breaks before the usage', async () => {
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

  test('an answer is complete after its finish reason, even if the server never closes the connection', async () => {
    const url = await serve((res, path) => {
      if (path.endsWith('/models')) return void res.writeHead(404).end();
      begin(res).write(delta('a', 'stop'));
    });
    expect((await ask(url)).result).toMatchObject({ kind: 'completed' });
  });

  test('an answer that ends with [DONE] but without a finish reason fails as truncated', async () => {
    const url = await serve((res) => void begin(res).end(`${delta('a')}data: [DONE]\n\n`));
    expect((await ask(url)).result).toMatchObject({ kind: 'failed', code: 'upstream_truncated' });
  });

  test('an answer without any event fails as truncated', async () => {
    const url = await serve((res) => void begin(res).end());
    expect((await ask(url)).result).toMatchObject({ kind: 'failed', code: 'upstream_truncated' });
  });

  test('a request for an answer never follows a redirect', async () => {
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

  test('a request sends the API key only if there is one, and its ids in headers', async () => {
    const seen: NodeJS.Dict<string | string[]>[] = [];
    const url = await serve((res, _path, headers) => {
      seen.push(headers);
      begin(res).end(delta('a', 'stop'));
    });
    await ask(url);
    expect(seen.at(-1)).toMatchObject({
      'x-request-id': expect.stringMatching(/^t-2-/),
      'x-session-id': 's',
    });
    expect(seen.every((headers) => headers.authorization === undefined)).toBe(true);
    await ask(url, { apiKey: 'k' });
    expect(seen.at(-1)?.authorization).toBe('Bearer k');
    const ids = seen.flatMap((headers) => headers['x-request-id'] ?? []);
    expect(new Set(ids).size).toBe(ids.length);
  });

  test('a request whose idle connection the server closes goes out once more on another connection', async () => {
    let calls = 0;
    const url = await serve((res, path) => {
      if (path.endsWith('/models')) return void res.writeHead(404).end();
      calls += 1;
      if (calls === 1) return void res.socket?.destroy();
      begin(res).end(delta('a', 'stop'));
    });
    expect(await ask(url)).toMatchObject({ text: 'a', result: { kind: 'completed' } });
    expect(calls).toBe(2);
  });

  test('a request fails as unavailable after the server has closed two connections', async () => {
    let calls = 0;
    const url = await serve((res, path) => {
      if (path.endsWith('/models')) return void res.writeHead(404).end();
      calls += 1;
      res.socket?.destroy();
    });
    expect((await ask(url)).result).toMatchObject({ code: 'upstream_unavailable', retryable: true });
    expect(calls).toBe(2);
  });

  test('a request does not go out again after its answer has begun', async () => {
    let calls = 0;
    const url = await serve((res, path) => {
      if (path.endsWith('/models')) return void res.writeHead(404).end();
      calls += 1;
      begin(res).write(delta('a'), () => setTimeout(() => res.socket?.resetAndDestroy(), 30));
    });
    expect((await ask(url)).result).toMatchObject({ code: 'upstream_truncated' });
    expect(calls).toBe(1);
  });

  test('a 503 reaches the session after one request: the client library does not retry', async () => {
    let calls = 0;
    const url = await serve((res, path) => {
      if (path.endsWith('/completions')) calls += 1;
      res.writeHead(503, { 'retry-after': '0' }).end();
    });
    expect((await ask(url)).result).toMatchObject({ code: 'upstream_unavailable' });
    expect(calls).toBe(1);
  });

  test('an attempt without a configured model fails if the server does not list its models', async () => {
    const url = await serve((res) => void res.writeHead(401).end('{"error":"Unauthorized"}'));
    const generator = createVllmGenerator({
      baseUrls: [url],
      transport,
      timeouts: { firstTokenMs: 2_000, interTokenMs: 300, totalMs: 5_000 },
      defaultMaxTokens: 10,
    });
    const request = { sessionId: 's', turnId: 't', attempt: 1, messages: [], prefix: null, options: {} };
    const result = await generator.generate(request, () => {}, new AbortController().signal);
    expect(result).toMatchObject({ kind: 'failed', code: 'upstream_unauthorized', retryable: false });
  });

  test('the first-token limit ends an attempt that waits for the list of models', async () => {
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

  test('only text of the model restarts the watchdog’s silence timer', () => {
    vi.useFakeTimers();
    const watchdog = startWatchdog(timeouts, new AbortController().signal);
    const stopped = vi.fn();
    watchdog.onStop(stopped);
    vi.advanceTimersByTime(99);
    expect(watchdog.cause).toBeNull();
    for (let n = 0; n < 5; n += 1) {
      watchdog.sawText();
      vi.advanceTimersByTime(49);
    }
    expect(watchdog.cause).toBeNull();
    vi.advanceTimersByTime(1);
    expect(watchdog.cause).toBe('inter_token_timeout');
    expect(stopped).toHaveBeenCalledTimes(1);
  });

  test('after the finish reason the watchdog waits one second for the usage, whatever the inter-token limit', () => {
    vi.useFakeTimers();
    const patient = { firstTokenMs: 60_000, interTokenMs: 60_000, totalMs: 600_000 };
    const watchdog = startWatchdog(patient, new AbortController().signal);
    const stopped = vi.fn();
    watchdog.onStop(stopped);
    watchdog.sawFinish();
    for (let n = 0; n < 10; n += 1) {
      watchdog.sawText();
      watchdog.sawFinish();
      vi.advanceTimersByTime(100);
    }
    expect(stopped).toHaveBeenCalledTimes(1);
  });

  test('the watchdog ends a busy stream at the total limit', () => {
    vi.useFakeTimers();
    const watchdog = startWatchdog(timeouts, new AbortController().signal);
    for (let n = 0; n < 50; n += 1) {
      watchdog.sawText();
      vi.advanceTimersByTime(20);
    }
    expect(watchdog.cause).toBe('total_timeout');
  });

  test('the watchdog keeps its first cause, and does nothing after dispose', () => {
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
