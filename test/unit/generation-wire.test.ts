/** What model servers and the proxies before them really send, byte by byte, and what a client gets of it. */
import { afterEach, describe, expect, test } from 'vitest';
import {
  askUpstream,
  beginStream,
  DONE,
  deltaOf,
  eventOf,
  type Script,
  type ScriptedUpstream,
  startScriptedUpstream,
} from '../support/scripted-upstream.ts';

const servers: ScriptedUpstream[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) server.close();
});

async function serve(script: Script): Promise<ScriptedUpstream> {
  const server = await startScriptedUpstream((res, path, headers) => {
    if (path.endsWith('/models')) res.writeHead(404).end();
    else script(res, path, headers);
  });
  servers.push(server);
  return server;
}

const PATIENCE = { timeouts: { firstTokenMs: 60_000, interTokenMs: 60_000, totalMs: 60_000 } };

async function hearStream(body: string, contentType = 'text/event-stream') {
  const { url } = await serve((res) => res.writeHead(200, { 'content-type': contentType }).end(body));
  return askUpstream(url);
}

describe('the end of a stream', () => {
  test('an answer whose last event lacks the blank line is complete', async () => {
    const heard = await hearStream(`${deltaOf('a')}${deltaOf('b', 'stop').trimEnd()}\n`);
    expect(heard).toMatchObject({ text: 'ab', result: { kind: 'completed', finishReason: 'stop' } });
  });

  test('an answer whose last event lacks even the line end is complete', async () => {
    const heard = await hearStream(`${deltaOf('a')}${deltaOf('b', 'stop').trimEnd()}`);
    expect(heard).toMatchObject({ text: 'ab', result: { kind: 'completed', finishReason: 'stop' } });
  });

  test('a last event that was cut in the middle is no answer: the stream is truncated', async () => {
    const heard = await hearStream(deltaOf('a') + deltaOf('b', 'stop').slice(0, 40));
    expect(heard).toMatchObject({ text: 'a', result: { kind: 'failed', code: 'upstream_truncated' } });
  });

  test('[DONE] completes the answer and closes the request, though the server keeps the body open', async () => {
    let closed: () => void = () => {};
    const isClosed = new Promise<void>((resolve) => {
      closed = resolve;
    });
    const { url } = await serve((res) => {
      res.once('close', closed);
      beginStream(res).write(deltaOf('a', 'stop') + DONE);
    });
    expect(await askUpstream(url, PATIENCE)).toMatchObject({ text: 'a', result: { kind: 'completed' } });
    await isClosed;
  });

  test('[DONE] with bare carriage returns completes it too', async () => {
    const { url } = await serve((res) => {
      beginStream(res).write((deltaOf('a', 'stop') + DONE).replaceAll('\n', '\r'));
    });
    expect(await askUpstream(url, PATIENCE)).toMatchObject({ text: 'a', result: { kind: 'completed' } });
  });

  test('a finish without [DONE] completes the answer, though the server keeps the body open', async () => {
    const { url } = await serve((res) => beginStream(res).write(deltaOf('a', 'stop')));
    expect(await askUpstream(url, PATIENCE)).toMatchObject({ text: 'a', result: { kind: 'completed' } });
  });

  test('a finish reason that is empty or null afterwards takes nothing back', async () => {
    const usage = { prompt_tokens: 3, completion_tokens: 9 };
    for (const finish_reason of ['', null]) {
      const late = eventOf({ choices: [{ index: 0, delta: {}, finish_reason }], usage });
      const heard = await hearStream(deltaOf('a', 'length') + late + DONE);
      expect(heard.result).toMatchObject({ kind: 'completed', finishReason: 'length', usage });
    }
  });

  test('an empty finish reason before the real one ends nothing', async () => {
    const heard = await hearStream(deltaOf('a', '') + deltaOf('b', '') + deltaOf('c', 'stop') + DONE);
    expect(heard).toMatchObject({ text: 'abc', result: { kind: 'completed', finishReason: 'stop' } });
  });

  test('of two finish reasons the first one counts', async () => {
    const heard = await hearStream(deltaOf('a', 'stop') + deltaOf('', 'error') + DONE);
    expect(heard.result).toMatchObject({ kind: 'completed', finishReason: 'stop' });
  });

  test('answers that end with [DONE] leave their connection to the next request', async () => {
    let connections = 0;
    const upstream = await serve((res) => beginStream(res).end(deltaOf('a', 'stop') + DONE));
    upstream.server.on('connection', () => {
      connections += 1;
    });
    for (let n = 0; n < 12; n += 1) await askUpstream(upstream.url);
    expect(connections).toBeLessThanOrEqual(3);
  });
});

describe('bytes', () => {
  test('an answer in which every byte comes alone is whole', async () => {
    const bytes = Buffer.from(`\uFEFF: hello\r\n\r\n${deltaOf('é🩺')}${deltaOf('–', 'stop')}${DONE}`);
    const { url } = await serve((res) => {
      beginStream(res);
      let at = 0;
      const next = (): void => {
        if (at === bytes.length) return void res.end();
        res.write(bytes.subarray(at, at + 1), () => setImmediate(next));
        at += 1;
      };
      next();
    });
    expect(await askUpstream(url)).toMatchObject({ text: 'é🩺–', result: { kind: 'completed' } });
  });

  test('comments, other fields, named events and data over several lines are read as SSE means them', async () => {
    const body = [
      ': keep-alive',
      'retry: 100',
      'id: 1',
      'event: message',
      'data:{"choices":',
      'data: [{"delta":{"content":"a"}}]',
      'data:}',
      '',
      'event: ping',
      'data: still here',
      '',
      'data',
      '',
      'data: {"choices":[{"delta":{"content":"b"},"finish_reason":"stop"}]}',
      '',
      '',
    ].join('\n');
    expect(await hearStream(body)).toMatchObject({ text: 'ab', result: { kind: 'completed' } });
  });

  test('a line without an end is given up instead of kept in memory', async () => {
    const { url } = await serve((res) => {
      beginStream(res);
      const part = 'x'.repeat(1024 * 1024);
      const more = (): void => {
        if (!res.destroyed) res.write(part, more);
      };
      res.write('data: ', more);
    });
    const { result } = await askUpstream(url, PATIENCE);
    expect(result).toMatchObject({ kind: 'failed', code: 'upstream_error' });
  });
});
