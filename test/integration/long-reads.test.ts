/** Long conversations are read and sent in pieces: whole for every reader, and without delay for other clients. */
import { randomUUID } from 'node:crypto';
import { beforeAll, expect, it } from 'vitest';
import { transcriptSchema } from '../../src/http/sessions/transcript-route.ts';
import type { Store, TranscriptEntry } from '../../src/store/contract.ts';
import { openRedisStore } from '../../src/store/redis/open.ts';
import { fhirProblems } from '../support/documented.ts';
import { TestClient } from '../support/instance/client.ts';
import { ask } from '../support/instance/http.ts';
import { startInstance } from '../support/instance/instance.ts';
import { eventually } from '../support/instance/observed.ts';
import { startRedis } from '../support/instance/redis-server.ts';
import { started } from '../support/instance/started.ts';

/** More than the buffers of both ends of a connection on this machine hold. */
const TURNS = 2_500;
const TEXT = `${'Long words. '.repeat(330)}\n`;

const [redis] = started(startRedis);
const [instance] = started(() =>
  startInstance({
    REDIS_URL: redis.url,
    SIMULATOR_TOKENS_PER_SECOND: '0',
    SIMULATOR_TOKENS: '8',
    HIBERNATE_MS: '100',
    TRUST_PROXY: '1',
  }),
);

const long: string = randomUUID();
const entries: readonly TranscriptEntry[] = Array.from({ length: TURNS }, (_, n) => [
  { role: 'user' as const, content: `${n} ${TEXT}`, turnId: `turn-${n}`, at: n + 1 },
  { role: 'assistant' as const, content: `${n} ${TEXT}`, turnId: `turn-${n}`, at: n + 1 },
]).flat();

beforeAll(async () => {
  await ask(instance.http, { session_id: long, user_id: 'ada', chief_complaint: 'cough' });
  const store = await openRedisStore({ url: redis.url, leaseMs: 3_000, frameLogMax: 100, inboxMax: 8 });
  try {
    await writeTranscript(store, long);
  } finally {
    await store.close();
  }
}, 120_000);

/** Adds the entries as the session's owner would, in many commits. */
async function writeTranscript(store: Store, sessionId: string): Promise<void> {
  const claim = await eventually(
    'the session to rest',
    () => store.claim(sessionId, 'writer'),
    ({ kind }) => kind === 'claimed',
  );
  if (claim.kind !== 'claimed' || claim.record === null) throw new Error('not claimed');
  const { snapshot, dueAt, head, version } = claim.record;
  for (let at = 0, next = version; at < entries.length; at += 500, next += 1)
    await store.commit(claim.fence, {
      writeId: randomUUID(),
      expectedVersion: next,
      expectedHead: head,
      snapshot,
      frames: [],
      transcript: entries.slice(at, at + 500),
      messageIds: [],
      inboxTaken: 0,
      dueAt,
      index: { state: 'connected', userId: 'ada', createdAt: 1 },
      notify: false,
      end: false,
    });
  await store.release(claim.fence, false);
}

const from = (address: string) => ({ headers: { 'x-forwarded-for': address } });
const path = (format: string, id = long) => `${instance.http}/api/session/${id}/transcript?format=${format}`;

it('a long transcript arrives whole in each format, without a length in its head', async () => {
  const json = await fetch(path('json'));
  expect(json.headers.get('content-length')).toBeNull();
  const { transcript } = transcriptSchema.parse(await json.json());
  expect(transcript.slice(-entries.length).map(({ content }) => content)).toEqual(
    entries.map(({ content }) => content),
  );
  const markdown = await (await fetch(path('markdown'))).text();
  expect(markdown.match(/^## /gm)).toHaveLength(entries.length + 2);
  expect(markdown.endsWith('words. \n> \n')).toBe(true);
  const fhir = (await (await fetch(path('fhir-communication'))).json()) as { entry: unknown[] };
  expect(fhir.entry).toHaveLength(entries.length + 2);
  expect(fhirProblems({ ...fhir, entry: fhir.entry.slice(-20) })).toEqual([]);
});

it('HEAD tells the length of a short transcript, and of a long one only the type', async () => {
  const short = await ask(instance.http, { chief_complaint: 'cough' });
  const head = await fetch(path('json', short.session_id), { method: 'HEAD' });
  const whole = await (await fetch(path('json', short.session_id))).arrayBuffer();
  expect(head.headers.get('content-length')).toBe(String(whole.byteLength));
  for (let time = 0; time < 10; time += 1) {
    const { status, headers } = await fetch(path('markdown'), { method: 'HEAD' });
    expect([status, headers.get('content-length')]).toEqual([200, null]);
    expect(headers.get('content-type')).toContain('text/markdown');
  }
});

it('readers that stop reading hold up no other client, and get the rest of the body when they go on', async () => {
  const eve = '192.0.2.1';
  const stopped = await Promise.all(Array.from({ length: 4 }, () => fetch(path('json'), from(eve))));
  expect(stopped.map(({ status }) => status)).toEqual([200, 200, 200, 200]);
  const fifth = await fetch(path('json'), from(eve));
  expect(fifth.status).toBe(503);
  expect(fifth.headers.get('retry-after')).toMatch(/^\d+$/);
  expect(await fifth.json()).toMatchObject({ error: { code: 'overloaded', retryable: true } });

  const client = await TestClient.greet(instance.url);
  for (const id of ['a', 'b', 'c']) {
    client.message(id, 'Good morning');
    expect(await client.completed(id)).toMatchObject({ type: 'turn.completed' });
  }
  const bob = await fetch(path('json'), from('192.0.2.2'));
  expect((await bob.text()).endsWith(']}')).toBe(true);

  const texts = await Promise.all(stopped.map((response) => response.text()));
  for (const text of texts) expect(text.endsWith(']}')).toBe(true);
  expect(new Set(texts).size).toBe(1);
  expect((await fetch(path('json'), from(eve))).status).toBe(200);
});

it('a reader that breaks off leaves room for another one', async () => {
  const eve = '192.0.2.3';
  for (let round = 0; round < 3; round += 1) {
    const cut = new AbortController();
    const cutOff = { ...from(eve), signal: cut.signal };
    const begun = await eventually(
      'room for four bodies',
      () => Promise.all(Array.from({ length: 4 }, () => fetch(path('json'), cutOff))),
      (responses) => responses.every(({ status }) => status === 200),
    );
    expect(begun).toHaveLength(4);
    cut.abort();
  }
});

it('an ended long conversation arrives whole from the archive, alone and in an export', async () => {
  const response = await fetch(`${instance.http}/api/session/${long}`, { method: 'DELETE' });
  expect(response.status).toBe(200);
  const read = (at: string) => fetch(`${instance.http}/api/archive${at}`).then((answer) => answer.json());
  const whole = (await read(`/${long}`)) as { lives: { transcript: { content: string }[] }[] };
  const contents = whole.lives[0]?.transcript.slice(-entries.length).map(({ content }) => content);
  expect(contents).toEqual(entries.map(({ content }) => content));
  const page = (await read('/export?limit=50')) as { count: number; sessions: { session_id: string }[] };
  expect(page.count).toBe(page.sessions.length);
  expect(page.sessions.find(({ session_id }) => session_id === long)).toEqual(whole.lives[0]);
});
