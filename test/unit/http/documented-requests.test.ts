/**
 * Every documented field of an HTTP request has an effect that a test can observe.
 *
 * The test sends each request twice to an instance in memory, with two values of one field. It compares the answers,
 * the stored sessions, the requests to the model and the calls to store and archive. A field fails if no code reads
 * it, and also if code reads it and then drops it.
 */

import { describe, expect, it } from 'vitest';
import type { HttpPorts } from '../../../src/http/core/ports.ts';
import { httpRoutes } from '../../../src/http/routes.ts';
import { OPEN, STRANGER } from '../../../src/identity/caller.ts';
import { unlimited } from '../../../src/limits/limits.ts';
import { openStage, type Stage } from '../../support/actor/stage.ts';
import { described, documentedFields, withoutRandomIds } from '../../support/documented.ts';
import { OUTPUT } from '../../support/machine/stepped-session.ts';

type Fields = Readonly<Record<string, unknown>>;
type Place = 'params' | 'query' | 'headers' | 'body';

const SESSION = '6f1c2a9e-8a4e-4a57-9f0b-0d1f2c3b4a59';
const OTHER = '0b8de2f4-1f0e-4a43-8d8e-6a2c1f4b7d11';
/** A turn in the archive. */
const TURN = '3d2f8c10-5b7e-4c11-8a39-7e5d1f0a9c22';
const hex = (id: string) => id.replaceAll('-', '');
const conversation = (id: string) => `conv_${hex(id)}`;
const response = (id: string) => `resp_${hex(id)}${hex(TURN)}`;
const [question, answer] = [`msg_u${hex(TURN)}`, `msg_a${hex(TURN)}`];
const PLACES: readonly Place[] = ['params', 'query', 'headers', 'body'];

const asked = (text: string) => [{ id: 'q1', role: 'user', parts: [{ type: 'text', text }] }];
const said = (content: string) => [{ id: 'q1', role: 'user', content }];

const extras = {
  'body instructions': ['Answer briefly.', 'Answer in Latin.'],
  'body tags': [{ ward: '3a' }, { ward: '3b' }],
} as const;

/** Their requests need a turn that has ended. */
const BRANCHING: ReadonlySet<string> = new Set(['regenerateTurn', 'forkSession']);

/** The other fields that a request needs for the field under test to matter. */
const BASES: Readonly<Record<string, Partial<Record<Place, Fields>>>> = {
  askForProtocol: { body: { session_id: SESSION, user_id: 'ana', chief_complaint: 'chest pain' } },
  createSession: { body: { id: SESSION, user_id: 'ana' } },
  cancelTurn: { params: { id: SESSION }, body: { user_id: 'ana' } },
  extendSession: { params: { id: SESSION }, body: { user_id: 'ana' } },
  followSession: { params: { id: SESSION }, query: { user_id: 'ana', after: '1' } },
  sendMessage: { params: { id: SESSION }, body: { user_id: 'ana', content: 'And now?' } },
  regenerateTurn: { params: { id: SESSION }, body: { id: 'again', user_id: 'ana' } },
  forkSession: { params: { id: SESSION }, body: { id: 'copy', user_id: 'ana' } },
  sendChatMessage: { headers: { 'rehydra-user': 'ana' }, body: { id: SESSION, messages: asked('cough') } },
  readChat: { params: { id: SESSION } },
  resumeChatStream: { params: { id: SESSION } },
  stopChat: { params: { id: SESSION } },
  runAgent: {
    headers: { 'rehydra-user': 'ana' },
    body: { threadId: SESSION, runId: 'run', messages: said('cough') },
  },
  readAgentThread: { query: { threadId: SESSION, runId: 'first' } },
  stopAgent: { params: { id: SESSION } },
  createResponse: {
    headers: { 'rehydra-user': 'ana' },
    body: { input: 'And now?', conversation: conversation(SESSION) },
  },
  readResponse: { params: { id: response(SESSION) }, query: { stream: 'true' } },
  cancelResponse: { params: { id: response(SESSION) } },
  deleteResponse: { params: { id: response(SESSION) } },
  listInputItems: { params: { id: response(SESSION) } },
  createConversation: { body: {} },
  readConversation: { params: { id: conversation(SESSION) } },
  updateConversation: {
    headers: { 'rehydra-user': 'ana' },
    params: { id: conversation(SESSION) },
    body: {},
  },
  deleteConversation: { params: { id: conversation(SESSION) } },
  listItems: { params: { id: conversation(OTHER) } },
  readItem: { params: { id: conversation(OTHER), item: question } },
  createItems: { params: { id: conversation(SESSION) } },
  deleteItem: { params: { id: conversation(OTHER), item: question } },
  share: { params: { id: SESSION }, body: { user_id: 'ben', invited_by: 'ana' } },
  listShares: { params: { id: SESSION } },
  revokeShare: { params: { id: SESSION, share: OTHER }, query: { revoked_by: 'ana' } },
  getSession: { params: { id: SESSION } },
  deleteSession: { params: { id: SESSION } },
  downloadTranscript: { params: { id: SESSION } },
  readHistory: { params: { id: SESSION } },
  readArchived: { params: { id: SESSION } },
  eraseUser: { params: { id: 'ana' } },
};

const ids = { 'params id': [SESSION, OTHER] } as const;
const responseIds = { 'params id': [response(SESSION), response(OTHER)] } as const;
const conversationIds = { 'params id': [conversation(SESSION), conversation(OTHER)] } as const;
const filters = {
  'query text': ['fever', 'cough'],
  'query user_id': ['ana', 'ben'],
  'query diagnosis_id': ['d1', 'd2'],
  'query from': ['1000', '2000'],
  'query to': ['1000', '2000'],
  'query cursor': ['a', 'b'],
  'query limit': ['5', '6'],
} as const;
const format = { 'query format': ['json', 'markdown'] } as const;

/** Two values for each field whose effects a client can tell apart. */
const VALUES: Readonly<Record<string, Readonly<Record<string, readonly [unknown, unknown]>>>> = {
  followSession: {
    ...ids,
    'query user_id': ['ana', 'eva'],
    'query after': ['1', '2'],
    'query epoch': ['0', '9007199254740000'],
    'headers last-event-id': ['1', '3'],
  },
  createSession: {
    'body id': [SESSION, OTHER],
    'body client_id': ['phone', 'laptop'],
    'body user_id': ['ana', 'eva'],
    'body diagnosis_id': ['d1', 'd2'],
    'body patient': [{ age: 60 }, { age: 61 }],
  },
  cancelTurn: {
    ...ids,
    'body turn_id': [undefined, OTHER],
    'body message_id': ['first', 'unknown'],
    'body user_id': ['ana', 'ben'],
  },
  regenerateTurn: {
    ...ids,
    'headers last-event-id': ['0', '999'],
    'body id': ['m-1', 'm-2'],
    'body turn_id': [undefined, OTHER],
    'body content': ['How long?', 'How far?'],
    'body options': [{ max_tokens: 7 }, {}],
    'body options.max_tokens': [7, 8],
    'body options.temperature': [0.1, 0.9],
    'body options.stop': [['END'], ['STOP']],
    ...extras,
    'body client_id': ['phone', 'laptop'],
    'body user_id': ['ana', 'ben'],
  },
  forkSession: {
    ...ids,
    'body id': ['m-1', 'm-2'],
    'body after': [undefined, OTHER],
    'body before': [undefined, OTHER],
    'body user_id': ['ana', 'ben'],
  },
  extendSession: { ...ids, 'body user_id': ['ana', 'ben'] },
  sendMessage: {
    ...ids,
    'headers last-event-id': ['0', '999'],
    'body content': ['And now?', 'And then?'],
    'body id': ['one', 'two'],
    'body client_id': ['phone', 'laptop'],
    'body user_id': ['ana', 'ben'],
    'body policy': ['queue', 'reject'],
    'body options': [{ max_tokens: 7 }, {}],
    'body options.max_tokens': [7, 8],
    'body options.temperature': [0.1, 0.2],
    'body options.stop': [['a'], ['b']],
    ...extras,
  },
  askForProtocol: {
    'headers idempotency-key': ['one', 'two'],
    'headers last-event-id': ['0', '4'],
    'body session_id': [SESSION, OTHER],
    'body age': [60, 61],
    'body gender': ['female', 'male'],
    'body chief_complaint': ['chest pain', 'dizzy'],
    'body past_medical_history': ['asthma', 'diabetes'],
    'body vitals': [{ spo2: 97 }, { spo2: 88 }],
    'body vitals.heart_rate': [88, 110],
    'body vitals.blood_pressure': ['120/80', '85/50'],
    'body vitals.respiratory_rate': [12, 24],
    'body vitals.temperature': [37, 39],
    'body vitals.spo2': [97, 88],
    'body vitals.weight': [80, 81],
    'body vitals.height': [180, 181],
    'body vitals.gcs': [15, 14],
    'body vitals.other': ['pale', 'warm'],
    'body client_id': ['phone', 'laptop'],
    'body user_id': ['ana', 'ben'],
    'body diagnosis_id': ['d1', 'd2'],
    'body policy': ['queue', 'reject'],
    'body options': [{ max_tokens: 7 }, {}],
    'body options.max_tokens': [7, 8],
    'body options.temperature': [0.1, 0.9],
    'body options.stop': [['END'], ['STOP']],
  },
  sendChatMessage: {
    'headers rehydra-policy': ['queue', 'reject'],
    'body id': [SESSION, OTHER],
    'body messages': [asked('cough'), asked('fever')],
    'body trigger': ['submit-message', 'regenerate-message'],
    'body messageId': [null, 'q0'],
    'body options': [{ max_tokens: 7 }, {}],
    'body options.max_tokens': [7, 8],
    'body options.temperature': [0.1, 0.9],
    'body options.stop': [['END'], ['STOP']],
  },
  createResponse: {
    'headers idempotency-key': ['one', 'two'],
    'headers rehydra-policy': ['queue', 'reject'],
    'body input': ['cough', 'fever'],
    'body model': ['a model', 'another model'],
    'body conversation': [conversation(SESSION), null],
    'body conversation.id': [conversation(SESSION), conversation(OTHER)],
    'body previous_response_id': [null, response(SESSION)],
    'body stream': [true, false],
    'body background': [true, false],
    'body store': [true, false],
    'body instructions': ['Be brief.', 'Be kind.'],
    'body metadata': [{ topic: 'knee' }, { topic: 'chest' }],
    'body max_output_tokens': [7, 8],
    'body temperature': [0.1, 0.9],
  },
  readResponse: { ...responseIds, 'query stream': ['true', 'false'], 'query starting_after': ['0', '20'] },
  cancelResponse: responseIds,
  deleteResponse: responseIds,
  listInputItems: responseIds,
  readConversation: conversationIds,
  createConversation: {
    'body items': [[], ['no message']],
    'body metadata': [{ topic: 'knee' }, { topic: 'chest' }],
  },
  updateConversation: { ...conversationIds, 'body metadata': [{ topic: 'knee' }, { topic: 'chest' }] },
  deleteConversation: conversationIds,
  listItems: {
    ...conversationIds,
    'query after': [question, answer],
    'query limit': ['1', '2'],
    'query order': ['asc', 'desc'],
  },
  readItem: { ...conversationIds, 'params item': [question, answer] },
  createItems: conversationIds,
  deleteItem: { ...conversationIds, 'params item': [question, 'msg_none'] },
  readChat: ids,
  resumeChatStream: { ...ids, 'query startIndex': ['0', '2'] },
  stopChat: ids,
  runAgent: {
    'headers rehydra-policy': ['queue', 'reject'],
    'headers last-event-id': ['', '1.0'],
    'body threadId': [SESSION, OTHER],
    'body runId': ['one', 'two'],
    'body messages': [said('cough'), said('fever')],
    'body state': [{ theme: 'dark' }, { theme: 'light' }],
    'body tools': [[], [{}]],
    'body context': [[], [{}]],
    'body resume': [[], [{}]],
    'body forwardedProps': [{ options: { max_tokens: 7 } }, {}],
    'body forwardedProps.options': [{ max_tokens: 7 }, {}],
    'body forwardedProps.options.max_tokens': [7, 8],
    'body forwardedProps.options.temperature': [0.1, 0.9],
    'body forwardedProps.options.stop': [['END'], ['STOP']],
  },
  readAgentThread: {
    'headers last-event-id': ['0', '999'],
    'query threadId': [SESSION, OTHER],
    'query runId': ['first', 'other'],
    'query offset': ['-1', '999'],
  },
  stopAgent: ids,
  getSession: ids,
  deleteSession: { ...ids, 'query erase': ['true', 'false'] },
  listSessions: {
    'query state': ['processing', 'idle'],
    'query user_id': ['ana', 'ben'],
    'query cursor': ['a', 'b'],
    'query limit': ['5', '6'],
  },
  downloadTranscript: { ...ids, ...format },
  readHistory: { ...ids, 'query format': ['json', 'csv'] },
  share: {
    ...ids,
    'body user_id': ['ben', 'eva'],
    'body access': ['read', 'write'],
    'body expires_in_ms': [60_000, 120_000],
    'body invited_by': ['ana', 'ben'],
  },
  listShares: ids,
  revokeShare: { ...ids, 'params share': [OTHER, SESSION], 'query revoked_by': ['ana', 'ben'] },
  searchArchive: filters,
  exportArchive: filters,
  readArchived: { ...ids, ...format },
  eraseUser: { 'params id': ['ana', 'ben'], 'query rewrite': ['true', 'false'] },
  getAnalytics: { 'query from': ['1000', '2000'], 'query to': ['1000', '2000'] },
};

const operations = described.flatMap(({ describe: one, method, path }) => {
  if (one === undefined) return [];
  const fields = PLACES.flatMap((place) => {
    const schema = one[place];
    return schema === undefined
      ? []
      : documentedFields(schema, 'input').map((field) => `${place} ${field.path}`);
  });
  // The tests of vital signs cover the parts of each measure.
  return [{ name: one.name, method, path, fields: fields.filter((field) => !/vitals\.\w+\./.test(field)) }];
});

/** Everything that a client, a model server, or a reader of store and archive can see of the request. */
async function observed(name: string, sent: Partial<Record<Place, Fields>>): Promise<string> {
  const calls: unknown[] = [];
  const stage = await openStage({
    wrap: (store) => ({
      ...store,
      list: (query) => {
        calls.push(['list', query]);
        // The store would refuse the invented cursors of the test.
        const { cursor: _, ...page } = query;
        return store.list(page);
      },
    }),
  });
  try {
    const owner = stage.connect();
    owner.say({ type: 'hello', session_id: SESSION, user_id: 'ana' });
    owner.say({ type: 'message', id: 'first', content: 'What is it?' });
    await stage.settle();
    const at = stage.clock.now();
    const invitation = { id: OTHER, userId: 'ben', access: 'read', expiresAt: at + 3_600_000 } as const;
    await stage.ports.services.sessions.send(SESSION, { type: 'share', at, share: invitation }, null);
    const operation = operations.find((one) => one.name === name);
    const route = httpRoutes(portsOf(stage, calls)).find(
      ({ describe: one, method }) => one?.name === name && method === operation?.method,
    );
    if (route === undefined) throw new Error(`no route is named ${name}`);
    const { headers = {}, query = {}, params = {}, body } = sent;
    if (BRANCHING.has(name)) {
      stage.generator.running?.end(COMPLETED);
      await stage.settle();
    }
    const answering = Promise.resolve(
      route.answer({
        method: route.method,
        path: route.path,
        query: new URLSearchParams(query as Record<string, string>),
        params: params as Record<string, string>,
        header: (header) => String({ 'content-type': 'application/json', ...headers }[header] ?? ''),
        lines: (header) => (header in headers ? [String(headers[header])] : []),
        body: () => Promise.resolve(body === undefined ? '' : JSON.stringify(body)),
        requestId: 'request',
        address: '192.0.2.1',
        peer: '192.0.2.1',
        // Only a trusted caller may send them.
        caller: body?.instructions === undefined ? STRANGER : OPEN,
        reach: 'own',
        userId: null,
        isDisabled: () => false,
        onGone: () => {},
        failed: (error) => calls.push(String(error)),
      }),
    );
    const streamed: string[] = [];
    const answered = answering.then((answer) => {
      if (typeof answer.body !== 'function') return answer;
      answer.body({
        write: (chunk) => streamed.push(chunk) > 0,
        drained: () => Promise.resolve(true),
        end: () => {},
        fail: () => {},
      });
      return { status: answer.status };
    });
    for (let turns = 0; turns < 2; turns += 1) {
      await stage.settle();
      await stage.advance(1_000);
      stage.generator.running?.end(COMPLETED);
    }
    await stage.settle();
    const { store } = stage.ports.services;
    const seen = {
      answer: await answered,
      streamed,
      calls,
      requests: stage.generator.runs.map(({ request }) => request),
      records: await Promise.all([SESSION, OTHER].map((id) => store.read(id))),
      logs: await Promise.all([SESSION, OTHER].map((id) => store.readLog(id, 0, 1_000))),
    };
    return withoutRandomIds(JSON.stringify(seen), [SESSION, OTHER]);
  } finally {
    await stage.close();
  }
}

const COMPLETED = { kind: 'completed', ...OUTPUT, finishReason: 'stop' } as const;

function portsOf({ ports, clock }: Stage, calls: unknown[]): HttpPorts {
  const { services } = ports;
  const asked =
    (what: string, answer: unknown) =>
    (...args: readonly unknown[]) => {
      calls.push([what, ...args]);
      return Promise.resolve(answer);
    };
  const figures = { ...{ byEndReason: {}, byHour: [], secondTurns: [] }, sessions: 0, abandoned: 0 };
  return {
    ...ports,
    ...services,
    clock,
    store: { ...services.store, notePurge: asked('notePurge', undefined) },
    archive: {
      of: () => ({
        search: asked('search', { hits: [], cursor: null }),
        read: asked('read', [LIFE]),
        histories: asked('histories', []),
        eraseSession: asked('eraseSession', 0),
        eraseUser: asked('eraseUser', []),
      }),
    },
    analytics: asked('analytics', { byState: {}, figures }),
    metrics: { contentType: 'text/plain', scrape: async () => '' },
    servedModel: async () => 'a model',
    unavailable: () => null,
    limits: unlimited,
  } as unknown as HttpPorts;
}

const LIFE = {
  ...{ sessionId: SESSION, createdAt: 1, endedAt: 2, endReason: 'idle', turnCount: 0 },
  ...{ clientId: null, userId: null, diagnosisId: null, patient: {}, turns: [] },
  lines: [
    { role: 'user', author: null, content: 'fever', turnId: TURN, at: 1 },
    { role: 'assistant', author: null, content: 'Rest.', turnId: TURN, at: 2 },
  ],
};

function withField(name: string, field: string, value: unknown): Partial<Record<Place, Fields>> {
  const base = BASES[name] ?? {};
  const [place, path = ''] = field.split(' ') as [Place, string];
  const [key = '', ...inner] = path.split('.');
  const nested = inner.reduceRight<unknown>((held, part) => ({ [part]: held }), value);
  const fields = { ...base[place], [key]: nested };
  // Only streams resume.
  const stream = field === 'headers last-event-id' ? { accept: 'text/event-stream' } : {};
  return { ...base, [place]: { ...fields, ...stream } };
}

describe('documented requests', () => {
  const listed = Object.entries(VALUES).flatMap(([name, fields]) =>
    Object.keys(fields).map((field) => `${name} ${field}`),
  );

  it('this test has two values for every documented request field and for no other', () => {
    const documented = operations.flatMap(({ name, fields }) => fields.map((field) => `${name} ${field}`));
    expect(listed.toSorted()).toEqual(documented.toSorted());
  });

  it.each(Object.keys(BASES))('the same %s request, sent twice, has the same effects', async (name) => {
    const base = BASES[name] ?? {};
    expect(await observed(name, base)).toBe(await observed(name, base));
  });

  it.each(listed)('the documented request field %s has an effect', async (path) => {
    const [name = '', place = '', field = ''] = path.split(' ');
    const [one, other] = VALUES[name]?.[`${place} ${field}`] ?? [null, null];
    const first = await observed(name, withField(name, `${place} ${field}`, one));
    expect(first).not.toContain('bad_request');
    expect(await observed(name, withField(name, `${place} ${field}`, other))).not.toBe(first);
  });
});
