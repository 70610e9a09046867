/**
 * Every documented field of a client frame makes a difference that can be observed.
 *
 * The test plays each scene twice on a whole instance in memory, with two values of one field. It compares sent frames,
 * stored records and requests to the model, so a field that code reads and then drops fails too.
 */

import { describe, expect, it } from 'vitest';
import { AUTH_OFF, type Authenticator } from '../../../src/identity/authenticator.ts';
import { type Identity, STRANGER } from '../../../src/identity/caller.ts';
import { clientFrameSchema } from '../../../src/protocol/client-frames.ts';
import { openStage, type Stage, type Visitor } from '../../support/actor/stage.ts';
import {
  type DocumentedField,
  documentedFields,
  framesOf,
  withoutRandomIds,
} from '../../support/documented.ts';
import { OUTPUT } from '../../support/machine/stepped-session.ts';

type Fields = Readonly<Record<string, unknown>>;

const SESSION = '6f1c2a9e-8a4e-4a57-9f0b-0d1f2c3b4a59';
const OTHER = '0b8de2f4-1f0e-4a43-8d8e-6a2c1f4b7d11';
const RUNNING = Symbol('the id of the running turn');

/** The other fields that a frame needs so that the tested field can matter. */
const BASES: Readonly<Record<string, Fields>> = {
  hello: { session_id: SESSION, after: 0 },
  message: { id: 'asked', content: 'And now?' },
  regenerate: { id: 'again' },
  fork: { id: 'copied' },
  cancel: {},
  extend: {},
  close: {},
  authenticate: { token: 'ana' },
  ping: {},
};

/** Two values for each field, between which a client would notice a difference. */
const VALUES: Readonly<Record<string, readonly [unknown, unknown]>> = {
  'hello.session_id': [SESSION, OTHER],
  'hello.after': [0, 2],
  'hello.epoch': [1, Number.MAX_SAFE_INTEGER],
  'hello.client_id': ['phone', 'laptop'],
  'hello.user_id': ['ana', 'ben'],
  'hello.diagnosis_id': ['d1', 'd2'],
  'hello.token': ['ana', 'ben'],
  'hello.patient': [{ age: 60 }, { age: 61 }],
  'hello.tags': [{ ward: '3a' }, { ward: '3b' }],
  'message.id': ['m-1', 'm-2'],
  'message.content': ['How long?', 'How far?'],
  'message.patient': [{ age: 60 }, { age: 61 }],
  'message.policy': ['queue', 'reject'],
  'message.options': [{ max_tokens: 7 }, {}],
  'message.options.max_tokens': [7, 8],
  'message.options.temperature': [0.1, 0.9],
  'message.options.stop': [['END'], ['STOP']],
  'message.instructions': ['Answer briefly.', 'Answer in Latin.'],
  'message.tags': [{ ward: '3a' }, { ward: '3b' }],
  'regenerate.id': ['m-1', 'm-2'],
  'regenerate.turn_id': [RUNNING, 'unknown'],
  'regenerate.content': ['How long?', 'How far?'],
  'regenerate.options': [{ max_tokens: 7 }, {}],
  'regenerate.options.max_tokens': [7, 8],
  'regenerate.options.temperature': [0.1, 0.9],
  'regenerate.options.stop': [['END'], ['STOP']],
  'regenerate.instructions': ['Answer briefly.', 'Answer in Latin.'],
  'regenerate.tags': [{ ward: '3a' }, { ward: '3b' }],
  'fork.id': ['f-1', 'f-2'],
  'fork.after': [RUNNING, 'unknown'],
  'fork.before': [RUNNING, 'unknown'],
  'cancel.message_id': ['first', 'unknown'],
  'cancel.turn_id': [RUNNING, 'unknown'],
  'authenticate.token': ['ana', 'ben'],
  'ping.nonce': ['a', 'b'],
};

/** Their frames need a turn that has ended. */
const BRANCHING: ReadonlySet<string> = new Set(['regenerate', 'fork']);

const documented = [...framesOf(clientFrameSchema)].map(([type, schema]) => ({
  type,
  fields: documentedFields(schema, 'input'),
}));
const everyField = documented.flatMap(({ type, fields }) =>
  fields.map((field): DocumentedField => ({ ...field, path: `${type}.${field.path}` })),
);

const pathsThat = (holds: (field: DocumentedField) => boolean) =>
  everyField.filter(holds).map(({ path }) => path);

/** Takes every token for the name of a user. */
const byName: Authenticator = {
  ...AUTH_OFF,
  isOff: false,
  authenticate: ({ bearer }) =>
    Promise.resolve({ kind: 'accepted', caller: bearer === null ? STRANGER : userNamed(bearer) }),
};

function userNamed(subject: string): Identity {
  const rest = { tenant: '', expiresAt: null, rights: null, proof: 'jwt', credential: 'token' } as const;
  return { kind: 'identified', role: 'user', subject, ...rest };
}

async function toSession(stage: Stage, shown: Fields): Promise<Visitor> {
  const owner = stage.connect();
  owner.say({ type: 'hello', ...shown });
  await stage.settle();
  owner.say({ type: 'message', id: 'first', content: 'What is it?' });
  await stage.settle();
  return owner;
}

/** Everything that a client, a model server or a reader of the store can see. */
async function observed(type: string, fields: Fields | null): Promise<string> {
  // Only a client that shows a token of its own is asked for one.
  const isKnown = fields !== null && 'token' in fields;
  const stage = await openStage(isKnown ? { authenticator: byName } : {});
  try {
    const owner = await toSession(stage, isKnown ? { token: 'ana' } : { session_id: SESSION });
    const welcomed = owner.frames.find((frame) => frame.type === 'welcome')?.session_id ?? SESSION;
    await stage.advance(1_000);
    const visitor = type === 'hello' ? stage.connect() : owner;
    const running = owner.frames.find((frame) => frame.type === 'turn.started')?.turn_id;
    if (BRANCHING.has(type)) {
      stage.generator.running?.end({ kind: 'completed', ...OUTPUT, finishReason: 'stop' });
      await stage.settle();
    }
    if (fields !== null) visitor.say({ type, ...resolved(fields, running, welcomed) });
    await stage.settle();
    stage.generator.running?.say({ text: 'It is nothing.' });
    await stage.advance(1_000);
    stage.generator.running?.end({ kind: 'completed', ...OUTPUT, finishReason: 'stop' });
    await stage.settle();
    const { store } = stage.ports.services;
    const stored = [welcomed, OTHER];
    const seen = {
      closed: visitor.closed,
      frames: [owner, visitor].map(({ frames }) => frames),
      requests: stage.generator.runs.map(({ request }) => request),
      records: await Promise.all(stored.map((id) => store.read(id))),
      transcripts: await Promise.all(stored.map((id) => store.readTranscript(id))),
    };
    return withoutRandomIds(JSON.stringify(seen), [SESSION, OTHER]);
  } finally {
    await stage.close();
  }
}

function resolved(fields: Fields, running: string | undefined, sessionId: string): Fields {
  const real = (value: unknown) => (value === RUNNING ? running : value === SESSION ? sessionId : value);
  return Object.fromEntries(Object.entries(fields).map(([key, value]) => [key, real(value)]));
}

function withField(type: string, path: string, value: unknown): Fields {
  const [field = '', inner] = path.slice(type.length + 1).split('.');
  return { ...BASES[type], [field]: inner === undefined ? value : { [inner]: value } };
}

describe('documented frames of clients', () => {
  it('this test has two values for every documented field of a client frame and for no other', () => {
    expect(Object.keys(VALUES).sort()).toEqual(everyField.map(({ path }) => path).sort());
  });

  it('a scene played twice looks the same, so that every difference comes from the tested field', async () => {
    for (const [type, fields] of Object.entries(BASES))
      expect(await observed(type, fields)).toBe(await observed(type, fields));
  });

  it.each(documented.map(({ type }) => type))('a client frame of the type %s has an effect', async (type) => {
    expect(await observed(type, BASES[type] ?? {})).not.toBe(await observed(type, null));
  });

  it.each(pathsThat((field) => !field.isReserved))(
    'the documented field %s of a client frame has an effect',
    async (path) => {
      const [type = ''] = path.split('.');
      const [one, other] = VALUES[path] ?? [null, null];
      const first = await observed(type, withField(type, path, one));
      expect(first).not.toContain('bad_frame');
      expect(await observed(type, withField(type, path, other))).not.toBe(first);
    },
  );

  it.each(pathsThat((field) => field.isReserved))(
    'the field %s of a client frame is documented as reserved and has no effect',
    async (path) => {
      const [type = ''] = path.split('.');
      const [one, other] = VALUES[path] ?? [null, null];
      const first = await observed(type, withField(type, path, one));
      expect(await observed(type, withField(type, path, other))).toBe(first);
    },
  );
});
