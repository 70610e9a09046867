/** Clients download a conversation, from its owner and from another instance. */
import { randomUUID } from 'node:crypto';
import { beforeAll, describe, expect, it } from 'vitest';
import { transcriptSchema } from '../../src/http/sessions/transcript-route.ts';
import { fhirProblems } from '../support/documented.ts';
import { TestClient } from '../support/instance/client.ts';
import { ask, get, type ProtocolAnswer, problemOf } from '../support/instance/http.ts';
import { type Instance, startInstance } from '../support/instance/instance.ts';
import { startRedis } from '../support/instance/redis-server.ts';
import { started } from '../support/instance/started.ts';

const session_id: string = randomUUID();
const [redis] = started(startRedis);
const launch = () =>
  startInstance({
    REDIS_URL: redis.url,
    SIMULATOR_TOKENS: '24',
    SIMULATOR_TOKENS_PER_SECOND: '0',
  });
const [one, two] = started(launch, launch);
beforeAll(async () => {
  const who = { session_id, user_id: 'dr-a', diagnosis_id: 'ICD-I21' };
  answers.push(await ask(one.http, { ...who, age: 61, chief_complaint: 'chest pain' }));
  answers.push(await ask(one.http, { ...who, chief_complaint: '# A heading\r<b>bold</b>\n```' }));
});
const answers: ProtocolAnswer[] = [];

const download = (instance: Instance, format: string, id: string = session_id) =>
  get(`${instance.http}/api/session/${id}/transcript?format=${format}`);

describe.each([
  ['its owner', () => one],
  ['the other instance', () => two],
])('transcript from %s', (_, instance) => {
  it('a JSON transcript has every question and answer in order, with the author', async () => {
    const { headers, body } = await download(instance(), 'json');
    expect(headers.get('content-disposition')).toBe(`attachment; filename="${session_id}.json"`);
    const { transcript } = transcriptSchema.parse(body);
    expect(transcript.map(({ role, turn_id, author }) => [role, turn_id, author])).toEqual(
      answers.flatMap(({ metadata: { turn_id } }) => [
        ['user', turn_id, 'dr-a'],
        ['assistant', turn_id, undefined],
      ]),
    );
    expect(transcript.filter(({ role }) => role === 'assistant').map(({ content }) => content)).toEqual(
      answers.map(({ protocol }) => protocol),
    );
    expect(transcript[0]?.content).toContain('chest pain');
  });

  it('a Markdown transcript turns no text of the conversation into a heading', async () => {
    const { headers, body } = await download(instance(), 'markdown');
    expect(headers.get('content-type')).toContain('text/markdown');
    const lines = String(body).split(/\r\n|\r|\n/);
    expect(lines[0]).toBe(`# Conversation ${session_id}`);
    expect(lines.filter((line) => line.startsWith('#')).slice(1)).toEqual([
      '## dr-a',
      '## Answer (SIMULATED: it means nothing)',
      '## dr-a',
      '## Answer (SIMULATED: it means nothing)',
    ]);
    expect(lines).toContain('> # A heading');
    expect(lines).toContain('> <b>bold</b>');
    for (const line of lines) expect(line).toMatch(/^(> |## |# |\d{4}-\d\d-\d\dT|$)/);
  });

  it('a FHIR transcript is valid FHIR R4', async () => {
    const { headers, body } = await download(instance(), 'fhir-communication');
    expect(headers.get('content-type')).toContain('application/fhir+json');
    expect(fhirProblems(body)).toEqual([]);
    expect(body).toMatchObject({ resourceType: 'Bundle', entry: { length: 4 } });
  });

  it('a transcript in an unknown format is refused', async () => {
    const reply = await download(instance(), 'pdf');
    expect(reply.status).toBe(400);
    expect(problemOf(reply).detail).toContain('fhir-communication');
  });
});

it('the transcript of an unknown session is not found, and that of a session without messages is empty', async () => {
  expect((await download(one, 'json', randomUUID())).status).toBe(404);
  const silent = await TestClient.greet(two.url);
  const { body } = await download(one, 'json', silent.sessionId);
  expect(body).toEqual({ session_id: silent.sessionId, transcript: [] });
  expect(fhirProblems((await download(one, 'fhir-communication', silent.sessionId)).body)).toEqual([]);
  await silent.close();
});
