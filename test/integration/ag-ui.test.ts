/** The routes of AG-UI, read as TanStack AI and AG-UI's own client read them: two instances beside one Redis. */
import { randomUUID } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import type { z } from 'zod';
import type { AgUiEvent } from '../../src/http/ag-ui/agui-event.ts';
import type { threadSchema } from '../../src/http/ag-ui/agui-message.ts';
import { get, post, problemOf } from '../support/instance/http.ts';
import { startInstance, startSimulatorProcess } from '../support/instance/instance.ts';
import { eventually, metric } from '../support/instance/observed.ts';
import { startRedis } from '../support/instance/redis-server.ts';
import { started } from '../support/instance/started.ts';

const SLOW = '[[fault:tps=60,tokens=120]] chest pain';
const LONG = '[[fault:tps=40,tokens=4000]] a long story';

const [redis, simulator] = started(startRedis, () =>
  startSimulatorProcess({ SIMULATOR_TOKENS: '24', SIMULATOR_TOKENS_PER_SECOND: '0' }),
);
const launch = () => startInstance({ REDIS_URL: redis.url, VLLM_BASE_URL: simulator.url });
const [one, two] = started(launch, launch);

interface Sent {
  readonly id: string | null;
  readonly event: AgUiEvent;
}

type Read = (seen: readonly Sent[]) => boolean;

/** Reads events to the end of the run, or cuts the connection as soon as `enough` holds. */
async function readRun(url: string, init: RequestInit, enough: Read = () => false): Promise<readonly Sent[]> {
  const cut = new AbortController();
  const response = await fetch(url, { ...init, signal: cut.signal });
  if (response.status !== 200 || response.body === null)
    throw new Error(`${response.status} ${await response.text()}`);
  expect(response.headers.get('content-type')).toContain('text/event-stream');
  const sent: Sent[] = [];
  let text = '';
  try {
    for await (const piece of response.body.pipeThrough(new TextDecoderStream())) {
      const blocks = (text + piece).split('\n\n');
      text = blocks.pop() ?? '';
      for (const block of blocks) {
        const [, id = null, data] = /^(?:id: ([\d.]*)\n)?data: (.*)$/s.exec(block) ?? [];
        if (data !== undefined) sent.push({ id, event: JSON.parse(data) });
      }
      if (enough(sent)) break;
    }
  } finally {
    cut.abort();
  }
  return sent;
}

const inputOf = (threadId: string, content: string, runId = `run-${randomUUID()}`) => ({
  ...{ threadId, runId, state: { theme: 'dark' }, tools: [], context: [], forwardedProps: {} },
  messages: [{ id: randomUUID(), role: 'user', content }],
});
type Input = ReturnType<typeof inputOf>;

/** Sends a run, or repeats it as a client that has `last`. */
const runAt = (http: string, input: Input, enough?: Read, last?: string | null) =>
  readRun(
    `${http}/api/ag-ui`,
    {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        'x-run-id': input.runId,
        ...(typeof last === 'string' && { 'last-event-id': last }),
      },
      body: JSON.stringify(input),
    },
    enough,
  );
const joinAt = (http: string, query: Readonly<Record<string, string>>, enough?: Read) =>
  readRun(`${http}/api/ag-ui?${new URLSearchParams({ offset: '-1', ...query })}`, {}, enough);

const textOf = (sent: readonly Sent[]) =>
  sent.map(({ event }) => (event.type === 'TEXT_MESSAGE_CONTENT' ? event.delta : '')).join('');
const hasText: Read = (sent) => textOf(sent) !== '';
const typesOf = (sent: readonly Sent[]) => [...new Set(sent.map(({ event }) => event.type))];
const lastOf = (sent: readonly Sent[]) => sent.at(-1)?.event;
const threadOf = async (http: string, threadId: string) =>
  (await get(`${http}/api/ag-ui?${new URLSearchParams({ threadId })}`)).body as z.infer<typeof threadSchema>;
const promptTokens = () => metric(simulator.url.slice(0, -'/v1'.length), 'vllm:prompt_tokens_total');
const stopAt = (http: string, id: string) => post(`${http}/api/ag-ui/${encodeURIComponent(id)}/stop`, {});

describe('runs of AG-UI', () => {
  it('a question is answered as a run, whose state is in the words of the machine beside the state of the client', async () => {
    const input = inputOf('hello-thread', 'hello');
    const sent = await runAt(one.http, input);
    const { threadId, runId } = input;
    expect(sent[0]?.event).toEqual({ type: 'RUN_STARTED', threadId, runId });
    expect(typesOf(sent)).toEqual([
      ...['RUN_STARTED', 'STATE_SNAPSHOT', 'TEXT_MESSAGE_START', 'TEXT_MESSAGE_CONTENT'],
      ...['TEXT_MESSAGE_END', 'RUN_FINISHED'],
    ]);
    expect(lastOf(sent)).toMatchObject({ threadId, runId, result: { finishReason: 'stop' } });
    const states = sent.flatMap(({ event }) => (event.type === 'STATE_SNAPSHOT' ? [event.snapshot] : []));
    expect(states).toMatchObject([
      { theme: 'dark', session: { state: 'processing.generating' } },
      { theme: 'dark', session: { state: 'idle' } },
    ]);
    expect(sent.every(({ id }) => /^\d+\.\d+$/.test(id ?? ''))).toBe(true);
  });

  it('a run that is repeated on the other instance after a cut goes on after the last event, and the model is asked once', async () => {
    const input = inputOf(`thread-${randomUUID()}`, SLOW);
    const first = await runAt(one.http, input, hasText);
    const spent = await promptTokens();
    const rest = await runAt(two.http, input, undefined, first.at(-1)?.id);
    const { runId, threadId } = input;
    const whole = await joinAt(one.http, { runId, threadId });
    expect([...first, ...rest].map(({ id }) => id)).toEqual(whole.map(({ id }) => id));
    expect(textOf([...first, ...rest])).toBe(textOf(whole));
    const again = await runAt(two.http, input);
    expect(textOf(again)).toBe(textOf(whole));
    expect(await promptTokens()).toBe(spent);
    const { messages } = await threadOf(two.http, threadId);
    expect(messages.map(({ role, content }) => [role, content])).toEqual([
      ['user', SLOW],
      ['assistant', textOf(whole)],
    ]);
  });

  it('a page that was loaded again finds the active run of its thread and joins it on the other instance', async () => {
    const input = inputOf(`thread-${randomUUID()}`, SLOW);
    const { threadId } = input;
    const first = await runAt(one.http, input, hasText);
    const { messages, activeRun, interrupts } = await threadOf(two.http, threadId);
    expect(messages.map(({ role }) => role)).toEqual(['user']);
    expect(interrupts).toBeNull();
    const runId = activeRun?.runId ?? '';
    const joined = await joinAt(two.http, { runId });
    expect(joined[0]?.event).toMatchObject({ type: 'RUN_STARTED', runId });
    expect(lastOf(joined)).toMatchObject({ type: 'RUN_FINISHED', runId });
    expect(textOf(joined).startsWith(textOf(first))).toBe(true);
    const after = await threadOf(one.http, threadId);
    expect(after.messages.at(-1)?.content).toBe(textOf(joined));
    expect(after.activeRun).toBeNull();
    const starts = [...first, ...joined].flatMap(({ event }) =>
      event.type === 'TEXT_MESSAGE_START' ? [event.messageId] : [],
    );
    expect(new Set(starts)).toEqual(new Set([after.messages.at(-1)?.id]));
  });

  it('a run that waits behind another one is joined before it starts', async () => {
    const threadId = `thread-${randomUUID()}`;
    await runAt(one.http, inputOf(threadId, LONG), hasText);
    const waiting = inputOf(threadId, 'and now?');
    const queued = await runAt(two.http, waiting, (sent) => sent.length > 1);
    expect(queued[1]?.event).toMatchObject({ snapshot: { session: { state: 'processing' } } });
    const joined = joinAt(one.http, { threadId, runId: waiting.runId });
    expect((await stopAt(two.http, threadId)).body).toMatchObject({ state: 'cancelled' });
    const sent = await joined;
    expect(sent[0]?.id).toBe(queued[0]?.id);
    expect(lastOf(sent)).toMatchObject({ type: 'RUN_FINISHED', result: { finishReason: 'stop' } });
  });

  it('a stop on the other instance ends a joined run regularly, and a second stop changes nothing', async () => {
    const input = inputOf(`thread-${randomUUID()}`, LONG);
    const { threadId, runId } = input;
    await runAt(one.http, input, hasText);
    const joined = joinAt(two.http, { threadId, runId });
    expect(await stopAt(two.http, threadId)).toMatchObject({ status: 200, body: { state: 'cancelled' } });
    const sent = await joined;
    expect(typesOf(sent.slice(-3))).toEqual(['TEXT_MESSAGE_END', 'STATE_SNAPSHOT', 'RUN_FINISHED']);
    expect(lastOf(sent)).toMatchObject({ result: { finishReason: 'cancelled' } });
    expect((await stopAt(one.http, threadId)).body).toMatchObject({ turn_id: null, state: 'idle' });
  });

  it('a thread of AG-UI and a chat of the AI SDK with the same id are one conversation', async () => {
    const id = `both-${randomUUID()}`;
    const sent = await runAt(one.http, inputOf(id, 'hello'));
    const { body } = await get(`${two.http}/api/chat/${id}`);
    expect(body).toMatchObject([{ role: 'user' }, { parts: [{ text: textOf(sent) }] }]);
  });

  it('a run that the model server refuses ends with its error', async () => {
    const sent = await runAt(one.http, inputOf(`thread-${randomUUID()}`, '[[fault:status=400]] hello'));
    expect(lastOf(sent)).toMatchObject({ type: 'RUN_ERROR', code: 'upstream_rejected' });
  });

  it('a run under the policy reject is refused while an answer runs', async () => {
    const threadId = `thread-${randomUUID()}`;
    await runAt(one.http, inputOf(threadId, LONG), hasText);
    const policy = { 'rehydra-policy': 'reject' };
    const reply = await post(`${two.http}/api/ag-ui`, inputOf(threadId, 'and now?'), policy);
    expect(problemOf(reply).code).toBe('session_busy');
    await stopAt(one.http, threadId);
  });

  it('a client that repairs a run which the session does not have gets 404, and asks no model', async () => {
    const spent = await promptTokens();
    const input = inputOf(`thread-${randomUUID()}`, 'hello');
    const reply = await post(`${one.http}/api/ag-ui`, input, { 'last-event-id': '3.0' });
    expect(problemOf(reply).code).toBe('session_not_found');
    expect(await promptTokens()).toBe(spent);
  });

  it('the limit of messages does not count the repairs of a run', async () => {
    const limits = { RATE_MESSAGES_PER_MINUTE: '2' };
    const limited = await startInstance({
      ...{ REDIS_URL: redis.url, VLLM_BASE_URL: simulator.url, ...limits },
    });
    try {
      const input = inputOf(`thread-${randomUUID()}`, 'hello');
      const whole = await runAt(limited.http, input);
      for (const { id } of whole.slice(0, 5))
        expect(lastOf(await runAt(limited.http, input, undefined, id))).toEqual(lastOf(whole));
    } finally {
      await limited.stop();
    }
  });

  it('an answer that starts over with the same words is shown once', async () => {
    const threadId = `thread-${randomUUID()}`;
    const faults = '[[fault:no-ids,continuation=ignore]] [[fault:truncate-after=9,times=1]]';
    const sent = await runAt(one.http, inputOf(threadId, `${faults} chest pain`));
    const states = sent.filter(({ event }) => event.type === 'STATE_SNAPSHOT');
    expect(states).toHaveLength(3);
    expect((await threadOf(two.http, threadId)).messages.at(-1)?.content).toBe(textOf(sent));
  });

  it('a run that the log has lost meanwhile takes its text back and gives the whole answer', async () => {
    const limited = await startInstance({
      ...{ REDIS_URL: redis.url, VLLM_BASE_URL: simulator.url, FRAME_LOG_MAX: '5' },
    });
    try {
      const input = inputOf(`thread-${randomUUID()}`, SLOW);
      const { threadId } = input;
      const first = await runAt(limited.http, input, hasText);
      await eventually(
        'the run to end',
        () => threadOf(limited.http, threadId),
        ({ activeRun }) => activeRun === null,
      );
      for (const more of ['more', 'even more']) await runAt(limited.http, inputOf(threadId, more));
      const rest = await runAt(limited.http, input, undefined, first.at(-1)?.id);
      const back = rest.findIndex(({ event }) => event.type === 'MESSAGES_SNAPSHOT');
      expect(rest[back]?.event).toEqual({ type: 'MESSAGES_SNAPSHOT', messages: input.messages });
      const { messages } = await threadOf(limited.http, threadId);
      expect(messages[1]?.content).toBe(textOf(rest.slice(back)));
      expect(lastOf(rest)?.type).toBe('RUN_FINISHED');
    } finally {
      await limited.stop();
    }
  });

  it('a run with tools gets 400, which names them', async () => {
    const tools = [{ name: 'look_up', description: '', parameters: {} }];
    const reply = await post(`${one.http}/api/ag-ui`, { ...inputOf('x', 'hello'), tools });
    expect(reply.status).toBe(400);
    expect(problemOf(reply).detail).toBe('tools: tools are not supported');
  });

  it('a thread that does not exist has no messages, and an unknown run gets 404', async () => {
    const nothing = { messages: [], activeRun: null, interrupts: null };
    expect(await threadOf(one.http, `none-${randomUUID()}`)).toEqual(nothing);
    const unknown = await get(`${one.http}/api/ag-ui?offset=-1&runId=run_${'0'.repeat(64)}`);
    expect(problemOf(unknown).code).toBe('session_not_found');
  });

  it('joining a run that a client named needs the thread, and the answer says so', async () => {
    const reply = await get(`${one.http}/api/ag-ui?offset=-1&runId=run-1`);
    expect(problemOf(reply).detail).toContain('threadId');
    expect(problemOf(await get(`${one.http}/api/ag-ui`)).detail).toContain('threadId');
  });

  it('a page of an allowed origin may send the headers of a repair', async () => {
    const origin = one.http;
    const asks = { origin, 'access-control-request-method': 'POST' };
    const { headers } = await get(`${one.http}/api/ag-ui`, { method: 'OPTIONS', headers: asks });
    const accepted = headers.get('access-control-allow-headers') ?? '';
    for (const name of ['x-run-id', 'last-event-id']) expect(accepted).toContain(name);
  });
});
