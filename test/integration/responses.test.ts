/** The Responses and Conversations APIs, through the unmodified client of OpenAI: two instances beside one Redis. */
import { randomUUID } from 'node:crypto';
import OpenAI, { APIError } from 'openai';
import { describe, expect, it } from 'vitest';
import { TestClient } from '../support/instance/client.ts';
import { get, post } from '../support/instance/http.ts';
import { type Instance, startInstance, startSimulatorProcess } from '../support/instance/instance.ts';
import { eventually, metric } from '../support/instance/observed.ts';
import { startRedis } from '../support/instance/redis-server.ts';
import { started } from '../support/instance/started.ts';

const SLOW = '[[fault:tps=60,tokens=120]] chest pain';
/** Short enough for the log to keep it. */
const MIDDLE = '[[fault:tps=25,tokens=40]] chest pain';
const LONG = '[[fault:tps=40,tokens=4000]] a long story';

const [redis, simulator] = started(startRedis, () =>
  startSimulatorProcess({ SIMULATOR_TOKENS: '24', SIMULATOR_TOKENS_PER_SECOND: '0' }),
);
const launch = () =>
  startInstance({ REDIS_URL: redis.url, VLLM_BASE_URL: simulator.url, FRAME_LOG_MAX: '80' });
const [one, two] = started(launch, launch);

const clientOf = ({ http }: Instance) => new OpenAI({ baseURL: `${http}/v1`, apiKey: 'none', maxRetries: 0 });
const promptTokens = () => metric(simulator.url.slice(0, -'/v1'.length), 'vllm:prompt_tokens_total');
type Event = OpenAI.Responses.ResponseStreamEvent;
const textOf = (events: readonly Event[]) =>
  events.map((event) => (event.type === 'response.output_text.delta' ? event.delta : '')).join('');
const responseIn = ([first]: readonly Event[]) => {
  if (first?.type !== 'response.created') throw new Error(`the stream begins with ${first?.type}`);
  return first.response;
};

/** Reads to the end, or leaves as soon as `enough` holds. */
async function read(
  stream: AsyncIterable<Event>,
  enough: (events: readonly Event[]) => boolean = () => false,
): Promise<readonly Event[]> {
  const events: Event[] = [];
  for await (const event of stream) {
    events.push(event);
    if (enough(events)) break;
  }
  return events;
}
const textIn = (part: object) => ('text' in part ? String(part.text) : '');
const hasText = (events: readonly Event[]) => textOf(events) !== '';

async function refused(request: PromiseLike<unknown>): Promise<APIError> {
  try {
    await request;
  } catch (error) {
    if (error instanceof APIError) return error;
    throw error;
  }
  throw new Error('the request was not refused');
}

describe('conversations that begin with messages of the client', () => {
  it('a client of the WebSocket that comes later gets them first, on either instance', async () => {
    const items = [
      { role: 'user' as const, content: 'My knee hurts' },
      { role: 'assistant' as const, content: 'Since when?' },
    ];
    const { id } = await clientOf(one).conversations.create({ items });
    const session_id = id.slice('conv_'.length).replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-');
    const answer = await clientOf(two).responses.create({ conversation: id, input: 'Monday' });
    for (const { url } of [one, two]) {
      const client = await TestClient.greet(url, { session_id, after: 0 });
      const { reason, transcript } = await client.waitForType('reset');
      const lines = transcript.map(({ role, content }) => ({ role, content }));
      const rest = [
        { role: 'user', content: 'Monday' },
        { role: 'assistant', content: answer.output_text },
      ];
      expect([reason, ...lines]).toEqual(['forked', ...items, ...rest]);
      await client.close();
    }
    const { body } = await get(`${one.http}/api/session/${session_id}`);
    expect(body).toMatchObject({ session_id, conversation_count: 2 });
    expect(body).not.toHaveProperty('origin');
    const before = (await clientOf(one).responses.retrieve(answer.id)).previous_response_id ?? '';
    expect((await clientOf(two).responses.retrieve(before)).output_text).toBe('Since when?');
  });
});

describe('responses', () => {
  it('the client of OpenAI creates a response on one instance and retrieves the same on the other', async () => {
    const created = await clientOf(one).responses.create({ input: 'hello' });
    expect(created).toMatchObject({ status: 'completed', error: null, store: true, background: false });
    expect(created.output_text).not.toBe('');
    const { id } = created;
    const retrieved = await clientOf(two).responses.retrieve(id);
    expect({ ...retrieved, created_at: 0 }).toEqual({ ...created, created_at: 0 });
  });

  it('a stream that was cut resumes after its last event on the other instance, without a gap', async () => {
    const stream = await clientOf(one).responses.create({ input: MIDDLE, stream: true });
    const first = await read(stream, (events) => textOf(events).length > 20);
    const { id } = responseIn(first);
    const starting_after = first.at(-1)!.sequence_number;
    const rest = await read(await clientOf(two).responses.retrieve(id, { stream: true, starting_after }));
    expect(rest.at(-1)?.type).toBe('response.completed');
    expect(rest.every(({ sequence_number }) => sequence_number > starting_after)).toBe(true);
    const whole = await clientOf(one).responses.retrieve(id);
    expect(textOf([...first, ...rest])).toBe(whole.output_text);
    const again = await read(await clientOf(two).responses.retrieve(id, { stream: true, starting_after }));
    expect(textOf([...first, ...again])).toBe(whole.output_text);
  });

  it("the client's own stream helper resumes a response from the whole replay", async () => {
    const stream = await clientOf(one).responses.create({ input: SLOW, stream: true });
    const first = await read(stream, hasText);
    const helper = clientOf(two).responses.stream({
      response_id: responseIn(first).id,
      starting_after: first.at(-1)!.sequence_number,
    });
    const rest: Event[] = [];
    helper.on('event', (event) => rest.push(event));
    const final = await helper.finalResponse();
    expect(textOf([...first, ...rest])).toBe(final.output_text);
  });

  it('a stream whose events the log has lost ends with the whole text, and without a delta twice', async () => {
    const client = clientOf(one);
    const first = await read(await client.responses.create({ input: 'hello', stream: true }));
    const { id } = responseIn(first);
    const replay = async () => read(await clientOf(two).responses.retrieve(id, { stream: true }));
    // Numbers below 16 are those of events that no log has.
    for (let previous_response_id = id; (await replay())[0]!.sequence_number >= 16; ) {
      const next = await client.responses.create({ input: SLOW, previous_response_id });
      previous_response_id = next.id;
    }
    const starting_after = first.find(({ type }) => type === 'response.output_text.delta')!.sequence_number;
    const rest = await read(await clientOf(two).responses.retrieve(id, { stream: true, starting_after }));
    expect(textOf(rest)).toBe('');
    expect(rest[0]).toMatchObject({ type: 'response.output_text.done', text: textOf(first) });
    expect(textOf(await replay())).toBe(textOf(first));
  });

  it('a response in the background is answered before it has ended, and goes on without a client', async () => {
    const started = await clientOf(one).responses.create({ input: SLOW, background: true });
    expect(started.status).toBe('in_progress');
    const ended = await eventually(
      'the response to end',
      () => clientOf(two).responses.retrieve(started.id),
      ({ status }) => status !== 'in_progress',
    );
    expect(ended).toMatchObject({ status: 'completed', id: started.id });
    expect(ended.output_text).not.toBe('');
  });

  it('a cancel on the other instance ends the stream as incomplete with the status cancelled, and repeats harmlessly', async () => {
    const stream = await clientOf(one).responses.create({ input: LONG, stream: true });
    const events: Event[] = [];
    for await (const event of stream) {
      events.push(event);
      if (textOf(events) === '' || events.some(({ type }) => type.endsWith('.done'))) continue;
      const cancelled = await clientOf(two).responses.cancel(responseIn(events).id);
      expect(cancelled.status).toBe('cancelled');
      break;
    }
    const { id } = responseIn(events);
    expect((await clientOf(one).responses.cancel(id)).status).toBe('cancelled');
    const whole = await read(await clientOf(one).responses.retrieve(id, { stream: true }));
    expect(whole.slice(-2)).toMatchObject([
      { type: 'response.output_item.done', item: { status: 'incomplete' } },
      { type: 'response.incomplete', response: { status: 'cancelled' } },
    ]);
  });

  it('a response cut at its token limit is incomplete and says why', async () => {
    const response = await clientOf(one).responses.create({ input: SLOW, max_output_tokens: 5 });
    expect(response).toMatchObject({
      status: 'incomplete',
      incomplete_details: { reason: 'max_output_tokens' },
      max_output_tokens: 5,
    });
  });

  it('a failed turn is a response with the status failed, which no client repeats', async () => {
    const response = await clientOf(one).responses.create({ input: '[[fault:status=400]] hello' });
    expect(response.status).toBe('failed');
    expect(response.error?.code).toBe('upstream_rejected');
  });

  it('a response goes on from the one before it, and the model sees both questions', async () => {
    const client = clientOf(one);
    const first = await client.responses.create({ input: 'My knee hurts.' });
    const second = await clientOf(two).responses.create({
      input: 'Since Monday.',
      previous_response_id: first.id,
    });
    expect(second.previous_response_id).toBe(first.id);
    expect(second.usage?.input_tokens).toBeGreaterThan(first.usage?.input_tokens ?? 0);
  });

  it('a response that goes on from an older one branches off, and both branches go on', async () => {
    const client = clientOf(one);
    const first = await client.responses.create({ input: 'My knee hurts.' });
    const second = await client.responses.create({ input: 'Since Monday.', previous_response_id: first.id });
    const headers = { 'Idempotency-Key': randomUUID() };
    const body = { input: 'Since Tuesday.', previous_response_id: first.id };
    const branch = await clientOf(two).responses.create(body, { headers });
    expect(branch.previous_response_id).toBe(first.id);
    expect(branch.conversation?.id).not.toBe(first.conversation?.id);
    expect(branch.usage?.input_tokens).toBeGreaterThan(first.usage?.input_tokens ?? 0);
    expect((await clientOf(one).responses.create(body, { headers })).id).toBe(branch.id);
    expect((await client.responses.retrieve(branch.id)).previous_response_id).toBe(first.id);
    for (const { id } of [second, branch]) {
      const next = await clientOf(two).responses.create({ input: 'Thanks.', previous_response_id: id });
      expect(next.previous_response_id).toBe(id);
    }
    const items = await client.conversations.items.list(branch.conversation?.id ?? '', { order: 'asc' });
    expect(items.data[0]).toMatchObject({ content: [{ text: 'My knee hurts.' }] });
    expect(items.data).toHaveLength(6);
  });

  it('instructions and messages of the system reach the model for their turn alone', async () => {
    const client = clientOf(one);
    const plain = await client.responses.create({ input: 'Hello.' });
    const told = await client.responses.create({
      instructions: 'Answer in rhymes.',
      input: [
        { role: 'system', content: 'You are a pirate.' },
        { role: 'user', content: 'Hello.' },
      ],
    });
    expect(told.instructions).toBe('Answer in rhymes.\n\nYou are a pirate.');
    expect(told.usage?.input_tokens).toBeGreaterThan(plain.usage?.input_tokens ?? 0);
    const next = { input: 'And?', previous_response_id: told.id };
    const without = await client.responses.create(next);
    const again = await client.responses.create({ ...next, instructions: 'Answer in rhymes.' });
    expect(again.usage?.input_tokens).toBeGreaterThan(without.usage?.input_tokens ?? 0);
  });

  it('the metadata of a response comes back with it, on any instance', async () => {
    const metadata = { topic: 'knee' };
    const created = await clientOf(one).responses.create({ input: 'hello', metadata });
    expect(created.metadata).toEqual(metadata);
    expect((await clientOf(two).responses.retrieve(created.id)).metadata).toEqual(metadata);
  });

  it('messages before the question are turns of the new conversation, and the model sees them', async () => {
    const client = clientOf(one);
    const plain = await client.responses.create({ input: 'What is my name?' });
    const told = await client.responses.create({
      input: [
        { role: 'user', content: 'My name is Alice.' },
        { role: 'assistant', content: 'Hello Alice!' },
        { role: 'user', content: [{ type: 'input_text', text: 'What is my name?' }] },
      ],
    });
    expect(told.usage?.input_tokens).toBeGreaterThan(plain.usage?.input_tokens ?? 0);
    const items = await clientOf(two).conversations.items.list(told.conversation?.id ?? '', { order: 'asc' });
    const texts = items.data.map((item) =>
      (item.type === 'message' ? item.content : []).map(textIn).join(''),
    );
    expect(texts).toEqual(['My name is Alice.', 'Hello Alice!', 'What is my name?', told.output_text]);
  });

  it('a request with the same Idempotency-Key gets the same response on the other instance, and the model is asked once', async () => {
    const headers = { 'Idempotency-Key': randomUUID() };
    const body = { input: 'once, please' };
    const first = await clientOf(one).responses.create(body, { headers });
    const spent = await promptTokens();
    const again = await clientOf(two).responses.create(body, { headers });
    expect({ ...again, created_at: 0 }).toEqual({ ...first, created_at: 0 });
    expect(await promptTokens()).toBe(spent);
  });

  it('a retry of the client reaches the turn of its first attempt within a conversation', async () => {
    const { id: conversation } = await clientOf(one).conversations.create();
    const body = { conversation, input: 'hello' };
    const url = ({ http }: Instance) => `${http}/v1/responses`;
    const idIn = ({ body: answer }: { readonly body: unknown }) => (answer as { readonly id: string }).id;
    const first = idIn(await post(url(one), body, { 'x-stainless-retry-count': '0' }));
    const retried = idIn(await post(url(two), body, { 'x-stainless-retry-count': '1' }));
    expect(retried).toBe(first);
    const honest = idIn(await post(url(two), body, { 'x-stainless-retry-count': '0' }));
    expect(honest).not.toBe(first);
    const after = { previous_response_id: honest, input: 'and now?' };
    const next = idIn(await post(url(one), after));
    expect(idIn(await post(url(two), after, { 'x-stainless-retry-count': '2' }))).toBe(next);
  });

  it('two equal messages that are sent at once get a turn each', async () => {
    const { id: conversation } = await clientOf(one).conversations.create();
    const ask = (instance: Instance) =>
      clientOf(instance).responses.create({ conversation, input: 'the same' });
    const responses = await Promise.all([ask(one), ask(one), ask(two)]);
    expect(new Set(responses.map(({ id }) => id)).size).toBe(3);
    const items = await clientOf(one).conversations.items.list(conversation);
    expect(items.data).toHaveLength(6);
  });

  it('a response without store can be read while it runs, and no more after its end', async () => {
    const client = clientOf(one);
    const stream = await client.responses.create({ input: SLOW, stream: true, store: false });
    const first = await read(stream, hasText);
    const { id } = responseIn(first);
    const starting_after = first.at(-1)!.sequence_number;
    const rest = await read(await clientOf(two).responses.retrieve(id, { stream: true, starting_after }));
    expect(rest.at(-1)?.type).toBe('response.completed');
    expect((await refused(client.responses.retrieve(id))).status).toBe(404);
    const next = client.responses.create({ input: 'go on', previous_response_id: id });
    expect((await refused(next)).status).toBe(404);
  });

  it('the only response of a conversation can be deleted, and a response beside others cannot', async () => {
    const client = clientOf(one);
    const first = await client.responses.create({ input: 'hello' });
    await client.responses.delete(first.id);
    expect((await refused(clientOf(two).responses.retrieve(first.id))).status).toBe(404);
    const kept = await client.responses.create({ input: 'hello' });
    await client.responses.create({ input: 'more', previous_response_id: kept.id });
    expect(await refused(client.responses.delete(kept.id))).toMatchObject({
      status: 400,
      code: 'unsupported_parameter',
    });
  });

  it('the input of a response is the message that it answers', async () => {
    const { id } = await clientOf(one).responses.create({ input: 'What is it?' });
    const items = await clientOf(two).responses.inputItems.list(id);
    expect(items.data).toMatchObject([
      { role: 'user', content: [{ type: 'input_text', text: 'What is it?' }] },
    ]);
  });

  it.each([
    ['tools', { tools: [{ type: 'function', name: 'f', parameters: {} }] }],
    ['top_p', { top_p: 0.5 }],
    ['model', { model: 'another model' }],
    ['include', { include: ['reasoning.encrypted_content'] }],
    ['seed', { seed: 7 }],
    ['input[0].content[0].type', { input: [{ role: 'user', content: [{ type: 'input_image' }] }] }],
    ['input[0].type', { input: [{ type: 'function_call_output', call_id: 'c', output: '' }] }],
    ['background', { background: true, store: false }],
  ])('a request that needs %s is refused by the name of that parameter', async (param, fields) => {
    const body = { input: 'hello', ...fields } as OpenAI.Responses.ResponseCreateParamsNonStreaming;
    expect(await refused(clientOf(one).responses.create(body))).toMatchObject({
      status: 400,
      code: 'unsupported_parameter',
      type: 'invalid_request_error',
      param,
    });
  });

  it('parameters whose values ask for nothing are accepted', async () => {
    const response = await clientOf(one).responses.create({
      input: 'hello',
      tools: [],
      tool_choice: 'auto',
      parallel_tool_calls: true,
      text: { format: { type: 'text' } },
      truncation: 'disabled',
      reasoning: null,
      include: [],
      service_tier: 'auto',
      top_p: 1,
      user: 'ana',
      safety_identifier: 'ana',
      prompt_cache_key: 'key',
    });
    expect(response.status).toBe('completed');
  });

  it('errors of the gates before a route have the form of OpenAI, too', async () => {
    const response = await fetch(`${one.http}/v1/responses`, { method: 'POST', body: '{}' });
    expect(response.status).toBe(415);
    expect(await response.json()).toMatchObject({
      error: { type: 'invalid_request_error', code: 'unsupported_media_type', param: null },
    });
  });
});

describe('pages', () => {
  it("a page of an allowed origin may send the headers of OpenAI's client", async () => {
    const asks = { origin: one.http, 'access-control-request-method': 'POST' };
    const { headers } = await get(`${one.http}/v1/responses`, { method: 'OPTIONS', headers: asks });
    const accepted = headers.get('access-control-allow-headers') ?? '';
    for (const name of ['x-stainless-retry-count', 'x-stainless-lang', 'x-stainless-os'])
      expect(accepted).toContain(name);
  });
});

describe('ended conversations', () => {
  const [brief] = started(() =>
    startInstance({
      VLLM_BASE_URL: simulator.url,
      SESSION_IDLE_MS: '1000',
      SESSION_WARN_MS: '300',
      LEASE_MS: '1000',
      HIBERNATE_MS: '300',
    }),
  );

  it('a response of an ended conversation can be read, and no message goes on from it', async () => {
    const client = clientOf(brief);
    const { id, output_text, conversation } = await client.responses.create({ input: 'hello' });
    const goOn = () => client.responses.create({ conversation: conversation?.id ?? '', input: 'more' });
    const isLive = async () => (await get(`${brief.http}/api/sessions`)).body as { readonly count: number };
    await eventually('the session to end', isLive, ({ count }) => count === 0);
    expect((await client.responses.retrieve(id)).output_text).toBe(output_text);
    const stream = await read(await client.responses.retrieve(id, { stream: true }));
    expect(textOf(stream)).toBe(output_text);
    const items = await client.conversations.items.list(conversation?.id ?? '');
    expect(items.data).toHaveLength(2);
    expect(await refused(goOn())).toMatchObject({ status: 410, code: 'session_expired' });
    expect((await client.responses.cancel(id)).status).toBe('completed');
  });
});

describe('conversations', () => {
  it('a conversation has the messages of its responses, oldest or newest first, page by page', async () => {
    const client = clientOf(one);
    const conversation = await client.conversations.create();
    expect(conversation).toMatchObject({ object: 'conversation', metadata: {} });
    const { id } = conversation;
    for (const input of ['one', 'two']) await client.responses.create({ conversation: { id }, input });
    const other = clientOf(two).conversations;
    expect(await other.retrieve(id)).toMatchObject({ id });
    const items = await other.items.list(id, { order: 'asc' });
    const roles = items.data.map((item) => (item.type === 'message' ? item.role : item.type));
    expect(roles).toEqual(['user', 'assistant', 'user', 'assistant']);
    const found: string[] = [];
    for await (const item of other.items.list(id, { limit: 1 })) found.push(item.id ?? '');
    expect(found).toEqual(items.data.map((item) => item.id).toReversed());
    const item_id = found[0] ?? '';
    expect(await other.items.retrieve(item_id, { conversation_id: id })).toMatchObject({ id: item_id });
  });

  it('a deleted conversation is gone with its responses', async () => {
    const client = clientOf(one);
    const { id } = await client.conversations.create();
    const response = await client.responses.create({ conversation: id, input: 'hello' });
    expect(await clientOf(two).conversations.delete(id)).toMatchObject({ id, deleted: true });
    const gone = [
      () => client.conversations.retrieve(id),
      () => client.conversations.items.list(id),
      () => client.responses.retrieve(response.id),
      () => client.responses.create({ conversation: id, input: 'more' }),
    ];
    for (const ask of gone) expect((await refused(ask())).status).toBe(404);
  });

  it('a conversation begins with the messages that it is created with, and the model sees them', async () => {
    const client = clientOf(one);
    const { id } = await client.conversations.create({
      items: [
        { role: 'user', content: 'My name is Alice.' },
        { role: 'assistant', content: 'Hello Alice!' },
      ],
    });
    const items = await clientOf(two).conversations.items.list(id, { order: 'asc' });
    expect(items.data).toMatchObject([
      { role: 'user', content: [{ text: 'My name is Alice.' }] },
      { role: 'assistant', content: [{ text: 'Hello Alice!' }] },
    ]);
    const asked = { input: 'What is my name?' };
    const alone = await client.responses.create(asked);
    const told = await clientOf(two).responses.create({ ...asked, conversation: id });
    expect(told.usage?.input_tokens).toBeGreaterThan(alone.usage?.input_tokens ?? 0);
  });

  it('the metadata of a conversation can be read and replaced on any instance', async () => {
    const { id } = await clientOf(one).conversations.create({ metadata: { topic: 'knee' } });
    expect((await clientOf(two).conversations.retrieve(id)).metadata).toEqual({ topic: 'knee' });
    await clientOf(two).conversations.update(id, { metadata: { topic: 'hip' } });
    expect((await clientOf(one).conversations.retrieve(id)).metadata).toEqual({ topic: 'hip' });
  });

  it('a conversation that has begun takes messages with responses only, and loses none', async () => {
    const client = clientOf(one);
    const { id } = await client.conversations.create({ items: [{ role: 'user', content: 'hello' }] });
    const added = client.conversations.items.create(id, { items: [{ role: 'user', content: 'more' }] });
    expect(await refused(added)).toMatchObject({
      status: 400,
      code: 'unsupported_parameter',
      param: 'items',
    });
    const [item] = (await client.conversations.items.list(id)).data;
    const deleted = client.conversations.items.delete(item?.id ?? '', { conversation_id: id });
    expect(await refused(deleted)).toMatchObject({ status: 400, code: 'unsupported_parameter' });
  });

  it('a conversation starts without a body', async () => {
    const reply = await fetch(`${one.http}/v1/conversations`, { method: 'POST' });
    expect(reply.status).toBe(200);
  });

  it('the list of models has the one that answers', async () => {
    const { data } = await clientOf(two).models.list();
    expect(data).toMatchObject([{ id: 'rehydra/simulator', object: 'model' }]);
    expect((await get(`${one.http}/v1/models`)).status).toBe(200);
  });
});
