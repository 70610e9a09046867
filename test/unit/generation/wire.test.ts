/** Reads what model servers and their proxies really send, byte by byte. */
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
} from './scripted-upstream.ts';

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

  test('an answer whose last event is cut in the middle fails as truncated', async () => {
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

  test('[DONE] with bare carriage returns completes the answer', async () => {
    const { url } = await serve((res) => {
      beginStream(res).write((deltaOf('a', 'stop') + DONE).replaceAll('\n', '\r'));
    });
    expect(await askUpstream(url, PATIENCE)).toMatchObject({ text: 'a', result: { kind: 'completed' } });
  });

  test('a finish without [DONE] completes the answer, though the server keeps the body open', async () => {
    const { url } = await serve((res) => beginStream(res).write(deltaOf('a', 'stop')));
    expect(await askUpstream(url, PATIENCE)).toMatchObject({ text: 'a', result: { kind: 'completed' } });
  });

  test('an empty finish reason after the real one changes nothing', async () => {
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

  test('the first of two finish reasons counts', async () => {
    const heard = await hearStream(deltaOf('a', 'stop') + deltaOf('', 'error') + DONE);
    expect(heard.result).toMatchObject({ kind: 'completed', finishReason: 'stop' });
  });

  test('an answer that ends with [DONE] leaves its connection to the next request', async () => {
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
  test('an answer that arrives byte by byte is whole', async () => {
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

  test('comments, other fields, named events and data over several lines follow the SSE standard', async () => {
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

  test('a line without an end fails the answer before it fills the memory', async () => {
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

describe('silence', () => {
  const hasty = (limit: object) => ({
    timeouts: { firstTokenMs: 30_000, interTokenMs: 30_000, totalMs: 30_000, ...limit },
  });
  /** Writes until the client disconnects. */
  const endless = (begin: string, part: string): Script => {
    return (res) => {
      beginStream(res).write(begin);
      const timer = setInterval(() => res.write(part), 10);
      res.once('close', () => clearInterval(timer));
    };
  };
  const hollow: readonly (readonly [string, string])[] = [
    ['empty deltas', deltaOf('')],
    ['deltas without content', eventOf({ choices: [{ index: 0, delta: {} }] })],
    [
      'role chunks',
      eventOf({ choices: [{ index: 0, delta: { role: 'assistant' } }], prompt_token_ids: [1] }),
    ],
    ['comments', ': keep-alive\n\n'],
    ['pings', 'event: ping\ndata: {}\n\n'],
    ['usage alone', eventOf({ choices: [], usage: { prompt_tokens: 1, completion_tokens: 1 } })],
    ['words of a second choice', eventOf({ choices: [{ index: 1, delta: { content: 'x' } }] })],
  ];

  test.each(hollow)('%s after the first text do not restart the silence timer', async (_name, part) => {
    const { url } = await serve(endless(deltaOf('a'), part));
    const { result, text } = await askUpstream(url, hasty({ interTokenMs: 200 }));
    expect(text).toBe('a');
    expect(result).toMatchObject({ kind: 'failed', code: 'inter_token_timeout', retryable: true });
  });

  test.each(hollow)('%s are no first token', async (_name, part) => {
    const { url } = await serve(endless('', part));
    const { result } = await askUpstream(url, hasty({ firstTokenMs: 200 }));
    expect(result).toMatchObject({ kind: 'failed', code: 'first_token_timeout', retryable: true });
  });

  test.each([
    ['thoughts', eventOf({ choices: [{ index: 0, delta: { reasoning: 'hm' } }] })],
    ['tokens whose text is held back', eventOf({ choices: [{ index: 0, delta: {}, token_ids: [1] }] })],
  ])('%s restart the silence timer', async (_name, part) => {
    const { url } = await serve(endless('', part));
    const { result } = await askUpstream(
      url,
      hasty({ firstTokenMs: 1_500, interTokenMs: 1_500, totalMs: 2_000 }),
    );
    expect(result).toMatchObject({ kind: 'failed', code: 'total_timeout' });
  });
});

describe('an answer without text', () => {
  const thought = eventOf({ choices: [{ index: 0, delta: { reasoning: 'hm' } }] });
  const stored = { text: 'You said', tokenIds: [1, 2], promptTokenIds: [9] };

  test.each([
    ['that is empty', deltaOf('', 'stop') + DONE],
    ['of white space', deltaOf(' \n') + deltaOf('', 'stop') + DONE],
    ['that only thought', thought + deltaOf('', 'stop') + DONE],
    ['that thought until its tokens were used up', thought + deltaOf('', 'length') + DONE],
    ['that calls a tool', deltaOf('', 'tool_calls') + DONE],
    ['that calls a function', deltaOf('', 'function_call') + DONE],
    [
      'of a second choice',
      eventOf({ choices: [{ index: 1, delta: { content: 'x' } }] }) + deltaOf('', 'stop'),
    ],
    ['in one piece', JSON.stringify({ choices: [{ message: { content: null }, finish_reason: 'stop' }] })],
  ])('an answer %s fails as retryable', async (_name, body) => {
    expect((await hearStream(body)).result).toMatchObject({
      kind: 'failed',
      code: 'upstream_empty',
      retryable: true,
    });
  });

  test('an answer without text is complete if it only ends a stored answer', async () => {
    const end = eventOf({ choices: [{ index: 0, text: '', finish_reason: 'stop' }] });
    const { url } = await serve((res) => beginStream(res).end(end + DONE));
    expect((await askUpstream(url, {}, stored)).result).toMatchObject({
      kind: 'completed',
      finishReason: 'stop',
    });
  });

  test('a continuation that only thinks starts over', async () => {
    const { url } = await serve((res, path) => {
      const cards = { data: [{ id: 'm', owned_by: 'vllm' }] };
      if (path.endsWith('/models')) res.end(JSON.stringify(cards));
      else beginStream(res).end(thought + deltaOf('', 'stop') + DONE);
    });
    const prefix = { ...stored, tokenIds: null, promptTokenIds: null };
    const { result, chunks } = await askUpstream(url, {}, prefix);
    expect([result.kind, chunks]).toEqual(['restart', []]);
  });
});

describe('the finish reason', () => {
  test.each([
    ['content_filter', 'content_filtered', false],
    ['safety', 'content_filtered', false],
    ['abort', 'upstream_aborted', true],
    ['error', 'upstream_error', true],
    ['repetition', 'upstream_error', false],
  ])(
    'the finish reason %s is the failure %s, and the text before it stays',
    async (reason, code, retryable) => {
      const heard = await hearStream(deltaOf('a') + deltaOf('b', reason) + DONE);
      expect(heard).toMatchObject({ text: 'ab', result: { kind: 'failed', code, retryable } });
    },
  );

  test.each([
    ['stop', 'stop'],
    ['STOP', 'stop'],
    ['eos_token', 'stop'],
    ['max_tokens', 'length'],
    ['tool_calls', 'tool_calls'],
    ['function_call', 'tool_calls'],
  ])('the finish reason %s after text completes the answer as %s', async (reason, finishReason) => {
    const heard = await hearStream(deltaOf('a') + deltaOf('', reason) + DONE);
    expect(heard).toMatchObject({ text: 'a', result: { kind: 'completed', finishReason } });
  });

  test('a finish reason inside an object is read', async () => {
    const end = eventOf({ choices: [{ index: 0, delta: {}, finish_reason: { type: 'abort' } }] });
    expect((await hearStream(deltaOf('a') + end + DONE)).result).toMatchObject({ code: 'upstream_aborted' });
  });
});

describe('text in other places', () => {
  const choice = (more: object) => eventOf({ choices: [{ index: 0, ...more }] });
  const end = deltaOf('', 'stop') + DONE;

  test.each([
    ['a refusal', choice({ delta: { content: null, refusal: 'I cannot say.' } }) + end, 'I cannot say.'],
    [
      'parts',
      choice({
        delta: {
          content: [
            { type: 'text', text: 'a' },
            { type: 'text', text: 'b' },
          ],
        },
      }) + end,
      'ab',
    ],
    ['bare parts', choice({ delta: { content: ['a', 'b'] } }) + end, 'ab'],
    ['a message', choice({ message: { role: 'assistant', content: 'a' } }) + end, 'a'],
    ['text of the older API', choice({ text: 'a' }) + end, 'a'],
    [
      'a whole answer',
      JSON.stringify({
        object: 'chat.completion',
        choices: [{ index: 0, message: { content: 'whole' }, finish_reason: 'stop' }],
      }),
      'whole',
    ],
    [
      'a whole answer after its parts',
      deltaOf('a') +
        eventOf({
          object: 'chat.completion',
          choices: [{ index: 0, message: { content: 'a' }, finish_reason: 'stop' }],
        }),
      'a',
    ],
    [
      'the first of two choices',
      eventOf({
        choices: [
          { index: 1, delta: { content: 'x' } },
          { index: 0, delta: { content: 'a' } },
        ],
      }) + end,
      'a',
    ],
  ])('text in %s is read once', async (_name, body, text) => {
    expect(await hearStream(body)).toMatchObject({
      text,
      result: { kind: 'completed', finishReason: 'stop' },
    });
  });

  test('thoughts among the content parts are reasoning', async () => {
    const content = [
      { type: 'thinking', thinking: [{ type: 'text', text: 'hm' }] },
      { type: 'text', text: 'a' },
    ];
    const heard = await hearStream(choice({ delta: { content } }) + end);
    expect(heard).toMatchObject({ text: 'a', reasoning: 'hm', result: { kind: 'completed' } });
  });

  test.each(['text/plain', 'application/json', 'text/html', 'application/octet-stream'])(
    'an event stream with the content type %s is read',
    async (contentType) => {
      const heard = await hearStream(deltaOf('a') + deltaOf('b', 'stop') + DONE, contentType);
      expect(heard).toMatchObject({ text: 'ab', result: { kind: 'completed' } });
    },
  );

  test.each([
    ['a web page', '<!doctype html><html><body>Sign in</body></html>', 'upstream_incompatible', false],
    ['JSON of something else', '{"status":"ok"}', 'upstream_incompatible', false],
    [
      'events of something else',
      eventOf({ type: 'delta', text: 'a' }) + DONE,
      'upstream_incompatible',
      false,
    ],
    ['half a document', '{"choices":[{"mess', 'upstream_truncated', true],
    ['an error', '{"error":{"message":"x","code":503}}', 'upstream_unavailable', true],
    ['a flat error', '{"object":"error","message":"x","code":400}', 'upstream_rejected', false],
    ['an error event', 'event: error\ndata: out of memory\n\n', 'upstream_error', true],
  ])('%s with status 200 fails with a code', async (_name, body, code, retryable) => {
    for (const contentType of ['text/event-stream', 'text/html', 'application/json'])
      expect((await hearStream(body, contentType)).result).toMatchObject({ kind: 'failed', code, retryable });
  });
});

describe('a refusal', () => {
  const words = "This model's maximum context length is 4096 tokens. However, you requested 5000 tokens.";

  test.each([
    ['nested', 400, { error: { message: words, type: 'BadRequestError', param: null, code: 400 } }],
    ['flat', 400, { object: 'error', message: words, type: 'BadRequestError', param: null, code: 400 }],
    ['a string', 422, { error: words, error_type: 'validation' }],
    ['a detail', 400, { detail: words }],
    ['plain text', 413, words],
  ])('a refusal for length is recognised whatever its shape (%s)', async (_name, status, body) => {
    const { url } = await serve((res) =>
      res.writeHead(status).end(typeof body === 'string' ? body : JSON.stringify(body)),
    );
    const { result } = await askUpstream(url);
    expect(result).toMatchObject({ kind: 'failed', code: 'context_length_exceeded', retryable: false });
    expect(result).toMatchObject({ contextLimit: 4096 });
    expect(JSON.stringify(result)).not.toMatch(/5000|maximum/);
  });

  test('a refusal for length is recognised inside a running stream', async () => {
    const flat = eventOf({ object: 'error', message: words, code: 400 });
    expect((await hearStream(flat + DONE)).result).toMatchObject({ code: 'context_length_exceeded' });
  });

  test('a refusal of the prompt’s content is content_filtered', async () => {
    const { url } = await serve((res) =>
      res
        .writeHead(400)
        .end(JSON.stringify({ error: { message: 'x', code: 'content_filter', status: 400 } })),
    );
    expect((await askUpstream(url)).result).toMatchObject({ code: 'content_filtered', retryable: false });
  });

  test('a refusal whose body never ends is read', async () => {
    const { url } = await serve((res) => res.writeHead(401).write('{"error":'));
    expect((await askUpstream(url, PATIENCE)).result).toMatchObject({ code: 'upstream_unauthorized' });
  });
});

describe('values that gateways write out', () => {
  const choice = (text: string, more: object = {}) => ({ index: 0, delta: { content: text }, ...more });

  test('every part of an answer counts, even if each has the name of a whole completion', async () => {
    const part = (text: string) => eventOf({ object: 'chat.completion', choices: [choice(text)] });
    const heard = await hearStream(part('Take') + part(' 5') + part(' mg') + deltaOf('', 'stop') + DONE);
    expect(heard).toMatchObject({ text: 'Take 5 mg', result: { kind: 'completed' } });
  });

  test.each(['', {}])('an empty error (%j) beside a part of an answer is no error', async (error) => {
    const body = eventOf({ error, choices: [choice('a')] }) + deltaOf('b', 'stop') + DONE;
    expect(await hearStream(body)).toMatchObject({ text: 'ab', result: { kind: 'completed' } });
  });

  test.each(['null', 'None'])('the finish reason "%s" counts as none', async (word) => {
    const part = (text: string) => eventOf({ choices: [choice(text, { finish_reason: word })] });
    const heard = await hearStream(part('a') + part('b') + deltaOf('', 'stop') + DONE);
    expect(heard).toMatchObject({ text: 'ab', result: { kind: 'completed', finishReason: 'stop' } });
  });
});
