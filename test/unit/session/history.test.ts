/** What the history keeps of a transition, and how short it stores that. */
import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import type { AnyStateNode } from 'xstate';
import { sessionMachine } from '../../../machines/session.ts';
import type { SessionInput } from '../../../machines/vocabulary.ts';
import { beginningOf, inputFrom, restored, strippedOf } from '../../../src/session/history/history-event.ts';
import { HistoryRecorder, readRecords } from '../../../src/session/history/record.ts';
import { events, names, states } from '../../../src/session/history/words.ts';
import type { StepEvent } from '../../../src/session/machine/step.ts';
import { INPUT, LIMITS, OUTPUT } from '../../support/machine/stepped-session.ts';

const SECRET = 'chest pain since Tuesday';
const at = 1_795_948_858_909;
const patient = { complaint: SECRET };
const ids = { messageId: '~odd "id"', turnId: '39d56967-96f1-49bf-b809-cf5f1e6f0219' };
const options = { maxTokens: 7, temperature: 0, stop: [SECRET] };
const words = { instructions: SECRET, tags: { note: SECRET } };

/** Every event with all of its fields, and each event with the fewest. */
const all: readonly StepEvent[] = [
  { type: 'attach', at, instance: 'i', clientId: 'c', userId: 'u', tenant: 't', isProven: true, patient },
  { type: 'attach', at, instance: 'i', isReturn: true, diagnosisId: 'd', tags: { note: SECRET } },
  { type: 'attach', at, instance: 'i', isProven: false },
  { type: 'detach', at, instance: 'i', userId: 'u' },
  { type: 'detach', at, instance: 'i' },
  {
    type: 'message',
    at,
    ...ids,
    content: SECRET,
    author: 'u',
    tenant: 't',
    policy: 'merge',
    options,
    ...words,
    patient,
  },
  { type: 'message', at, ...ids, content: SECRET, author: null, policy: 'queue', options: {} },
  { type: 'message', at, ...ids, content: SECRET, policy: 'queue', options: {} },
  {
    ...{ type: 'regenerate', at, ...ids, from: 't1', content: SECRET, author: 'u', options, ...words },
    retraction: { turnIds: ['~t1', ids.turnId], content: SECRET, author: null, isOneAuthor: false },
  },
  { type: 'regenerate', at, ...ids, options: {}, isRepeat: true },
  { type: 'fork', at, author: 'u', messageId: 'm', sessionId: ids.turnId, turnId: null },
  { type: 'share', at, author: 'u', share: { id: 's', userId: 'v', access: 'read', expiresAt: at + 1 } },
  { type: 'unshare', at, shareId: 's' },
  { type: 'cancel', at, author: null, messageId: 'm' },
  { type: 'cancel', at },
  { type: 'extend', at, author: 'u', tenant: 't' },
  { type: 'close', at, reason: 'admin', erase: true },
  { type: 'close', at, reason: 'closed', author: null },
  { type: 'summarised', at, through: 't1', content: SECRET },
  { type: 'recover', at },
  { type: 'xstate.done.actor.generation', at, output: { ...OUTPUT, window: { kept: SECRET } } },
  {
    ...{ type: 'xstate.done.actor.generation', at },
    output: { ...OUTPUT, firstTokenMs: null, simulated: false, finishReason: 'length' },
  },
  { type: 'xstate.error.actor.generation', at, error: { code: 'x', retryable: true, replica: null } },
  {
    ...{ type: 'xstate.error.actor.generation', at },
    error: {
      ...{ code: 'x', retryable: false, replica: 'r', retryAfterMs: 9 },
      startOver: { content: SECRET, author: 'u' },
    },
  },
  { type: 'xstate.after.idleWarning.session.connected.fresh', at },
];

const recordOf = (version: number, event: StepEvent) => ({
  ...{ version, at: event.at + version, event: strippedOf(event), from: 'idle.fresh', to: 'idle.fresh' },
  taken: [
    { guard: 'mayNot', actions: ['refuse', 'aNameThatNoListHas'] },
    { guard: null, actions: [] },
    { guard: null, actions: ['touch'] },
  ],
  waitedMs: version % 3,
});

describe('the history of a session', () => {
  it('the history keeps no word of an event: no question, summary, instruction, tag, stop sequence or patient data', () => {
    const kept = JSON.stringify(all.map(strippedOf));
    for (const word of SECRET.split(' ')) expect(kept).not.toContain(word);
    expect(strippedOf(all[5] as StepEvent)).toMatchObject({
      length: SECRET.length,
      author: 'u',
      policy: 'merge',
    });
  });

  it('the records of a claim come back from their short texts as they were', () => {
    const recorder = new HistoryRecorder({ instance: '0123456789ab', epoch: at - 5 }, 500);
    const texts: string[] = [];
    const written = Array.from({ length: 80 }, (_, place) => {
      const record = recordOf(place + 1, all[place % all.length] as StepEvent);
      texts.push(recorder.write(record));
      recorder.stored(record.version, record.at);
      return { ...record, machineVersion: 4, instance: '0123456789ab', epoch: at - 5 };
    });
    expect(readRecords(texts)).toEqual(written);
    expect(texts.filter((text) => text.includes('0123456789ab'))).toHaveLength(3);
  });

  it('a history that lost its oldest records reads from the first record that names its owner', () => {
    const recorder = new HistoryRecorder({ instance: 'i', epoch: at }, 10);
    const texts = Array.from({ length: 12 }, (_, place) => {
      const text = recorder.write(recordOf(place + 1, { type: 'recover', at }));
      recorder.stored(place + 1, at);
      return text;
    });
    expect(readRecords(texts.slice(2)).map(({ version }) => version)).toEqual([5, 6, 7, 8, 9, 10, 11, 12]);
    expect(readRecords(texts.slice(2)).every(({ instance }) => instance === 'i')).toBe(true);
  });

  it('a restored event has every field that its original had, but for the words', () => {
    const withoutWords = (event: unknown) =>
      JSON.parse(JSON.stringify(event), (name, value) =>
        ['content', 'patient', 'instructions', 'tags', 'stop', 'window', 'startOver'].includes(name) ||
        ['temperature', 'maxTokens'].includes(name)
          ? undefined
          : value,
      );
    for (const event of all) {
      const back = restored(strippedOf(event), event.at);
      expect(withoutWords(back)).toEqual(withoutWords(event));
    }
    expect(restored({ type: 'unheard of' }, at)).toBeNull();
  });

  it('a beginning keeps who began the session, and takes what never changes from the session', () => {
    const input: SessionInput = {
      ...{
        ...INPUT,
        userId: 'u',
        tenant: 't',
        diagnosisId: 'd',
        turnCount: 3,
        patient,
        tags: { note: SECRET },
      },
      origin: { sessionId: 'other', turnId: null },
    };
    const { patient: _, tags: __, ...wordless } = input;
    const { at: begunAt, sessionId, instance, origin } = wordless;
    const event = beginningOf(input, true);
    expect(JSON.stringify(event)).not.toContain('Tuesday');
    const fixed = {
      at: begunAt,
      sessionId,
      instance,
      limits: LIMITS,
      ...(origin === undefined ? {} : { origin }),
    };
    expect(inputFrom(event, fixed)).toEqual(wordless);
  });
});

const nodesIn = (node: AnyStateNode): readonly AnyStateNode[] => [
  node,
  ...Object.values(node.states).flatMap(nodesIn),
];

describe('the words of the history', () => {
  const { guards, actions } = sessionMachine.implementations;

  it('every guard, action, state and deadline of the chart has a character of its own', () => {
    const nodes = nodesIn(sessionMachine.root);
    const leaves = nodes.filter(({ type }) => type !== 'compound').map(({ path }) => path.join('.'));
    const timers = nodes.flatMap((node) => node.after.map(({ eventType }) => eventType));
    const missing = [
      ...Object.keys(guards).filter((name) => names.shorten(`?${name}`).length > 1),
      ...Object.keys(actions).filter((name) => names.shorten(name).length > 1),
      ...leaves.filter((path) => path !== 'processing.next' && states.shorten(path).length > 1),
      ...timers.filter((type) => events.shorten(type).length > 1),
      ...all.filter(({ type }) => events.shorten(type).length > 1),
    ];
    expect(missing).toEqual([]);
  });

  it('a released word keeps its character: a change of the lists only adds to their ends', () => {
    const digest = (list: readonly string[], released: number) =>
      createHash('sha256').update(list.slice(0, released).join(' ')).digest('hex').slice(0, 16);
    expect([digest(events.words, 23), digest(states.words, 8), digest(names.words, 69)]).toEqual([
      'f20f3060545852c9',
      'b1ef3993549f68c0',
      '78d2d3016a4a5dfb',
    ]);
  });
});
