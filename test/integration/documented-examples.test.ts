/** Each example of the OpenAPI document is true: an instance answers its request with its answer. */
import { describe, expect, it } from 'vitest';
import { openapiDocument } from '../../src/http/core/openapi.ts';
import type { Example } from '../../src/http/core/router.ts';
import { startSimulator } from '../../src/simulator/simulator.ts';
import { described } from '../support/documented.ts';
import { TestClient } from '../support/instance/client.ts';
import { shapeOf, shapesOf } from '../support/instance/frame-shapes.ts';
import { get, post, readEvents } from '../support/instance/http.ts';
import { startInstance } from '../support/instance/instance.ts';
import { started } from '../support/instance/started.ts';

type Json = Readonly<Record<string, unknown>>;
interface Operation {
  readonly requestBody?: { readonly content: Json };
  readonly responses: Readonly<Record<string, { readonly content: Json }>>;
}
const JSON_TYPE = 'application/json';
const STREAM = 'text/event-stream';

const routes = described.filter(({ path }) => path.startsWith('/v1/sessions'));
/** Routes of other doors, whose examples have a request only. */
const DOORS = ['createResponse', 'createConversation', 'sendChatMessage', 'runAgent', 'askForProtocol'];

function exampleOf(name: string): Example & { readonly path: string } {
  const route = described.find(({ describe: one }) => one?.name === name);
  const example = route?.describe?.example;
  if (route === undefined || example === undefined) throw new Error(`${name} has no example`);
  const path = route.path.replace(/:(\w+)/g, (_, param: string) => String(example.params?.[param]));
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(example.query ?? {})) query.set(name, String(value));
  return { ...example, path: query.size === 0 ? path : `${path}?${query}` };
}

/** The frames of a documented stream. */
const framesIn = (stream: unknown): readonly Json[] =>
  String(stream)
    .split('\n')
    .flatMap((line) => (line.startsWith('data: ') ? [JSON.parse(line.slice('data: '.length)) as Json] : []));

/** Ids follow from the requests, so an answer has exactly those of its example. */
function expectAnswer(sent: unknown, documented: unknown): void {
  expect(shapeOf(sent)).toEqual(shapeOf(documented));
  for (const id of ['session_id', 'turn_id', 'message_id'])
    expect((sent as Json)[id]).toBe((documented as Json)[id]);
}

describe('the examples of the OpenAPI document', () => {
  const [simulator] = started(() => startSimulator({ tokens: 40, tokensPerSecond: 20 }));
  const [instance] = started(() => startInstance({ VLLM_BASE_URL: simulator.url }));
  const url = (path: string) => `${instance.http}${path}`;

  it('every route of /v1/sessions has an example of its request and of its answer in each media type', () => {
    const { paths } = openapiDocument(described) as unknown as {
      readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
    };
    expect(routes.length).toBeGreaterThan(4);
    for (const { path, method, describe: one } of routes) {
      const operation = paths[path.replace(/:(\w+)/g, '{$1}')]?.[method.toLowerCase()];
      const status = one?.answers[201] === undefined ? '200' : '201';
      const contents = [
        ...Object.values(operation?.requestBody?.content ?? {}),
        ...Object.values(operation?.responses[status]?.content ?? {}),
      ];
      expect(contents.length, path).toBeGreaterThan(0);
      for (const content of contents) expect(content, path).toHaveProperty('example');
      for (const [code, byType] of Object.entries(one?.example?.answers ?? {}))
        for (const [type, value] of Object.entries(byType))
          expect(one?.answers[Number(code)]?.content[type]?.safeParse(value).success, path).toBe(true);
    }
  });

  it.each(DOORS)('an instance answers the documented request of %s', async (name) => {
    const { path, body } = exampleOf(name);
    const reply = await post(url(path), body);
    expect([name, reply.status]).toEqual([name, 200]);
    if (typeof reply.body === 'string') expect(reply.body).toContain('My');
  });

  it('an instance answers the documented requests, one after the other, with the documented answers', async () => {
    const create = exampleOf('createSession');
    const created = await post(url(create.path), create.body);
    expect(created.status).toBe(201);
    expectAnswer(created.body, create.answers[201]?.[JSON_TYPE]);

    const message = exampleOf('sendMessage');
    const answered = await post(url(message.path), message.body);
    expectAnswer(answered.body, message.answers[200]?.[JSON_TYPE]);

    const follow = exampleOf('followSession');
    const events = framesIn(follow.answers[200]?.[STREAM]);
    const ends = events.filter(({ type }) => type === 'state').length;
    const followed = await readEvents(
      { url: url(follow.path) },
      (seen) => seen.filter(({ event }) => event === 'state').length >= ends,
    );
    expect(shapesOf(followed.map(({ frame }) => frame))).toEqual(shapesOf(events));

    const streamed = await readEvents({ url: url(message.path), body: message.body });
    const documented = framesIn(message.answers[200]?.[STREAM]);
    expect(shapesOf(streamed.map(({ frame }) => frame))).toEqual(shapesOf(documented));

    const client = await TestClient.greet(instance.url, { session_id: String(message.params?.id) });
    const running = post(url(message.path), { id: 'm-2', content: 'And now?' });
    await client.waitForType('delta');
    const cancel = exampleOf('cancelTurn');
    expectAnswer((await post(url(cancel.path), cancel.body)).body, cancel.answers[200]?.[JSON_TYPE]);
    expect((await running).status).toBe(409);
    await client.close();

    const again = exampleOf('regenerateTurn');
    const regenerated = await readEvents({ url: url(again.path), body: again.body });
    const wanted = framesIn(again.answers[200]?.[STREAM]);
    expect(shapesOf(regenerated.map(({ frame }) => frame))).toEqual(shapesOf(wanted));
    const repeated = (await post(url(again.path), again.body)).body;
    expectAnswer(repeated, again.answers[200]?.[JSON_TYPE]);

    const fork = exampleOf('forkSession');
    const forked = (await post(url(fork.path), fork.body)).body;
    const documentedFork = fork.answers[201]?.[JSON_TYPE];
    expect(shapeOf(forked)).toEqual(shapeOf(documentedFork));
    expect(forked).toHaveProperty('origin', (documentedFork as Json).origin);
    // Its id follows from the beginning of the session too.
    await get(url(`/api/session/${String((forked as Json).session_id)}`), { method: 'DELETE' });

    const extend = exampleOf('extendSession');
    expectAnswer((await post(url(extend.path), extend.body)).body, extend.answers[200]?.[JSON_TYPE]);
    await get(url(`/api/session/${String(extend.params?.id)}`), { method: 'DELETE' });
  });
});
