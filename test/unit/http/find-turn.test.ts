/** Where a turn is found: in the queue, running, in the log, in the transcript, in the archive. */
import { expect, test } from 'vitest';
import { findTurn, type TurnQuery } from '../../../src/http/turns/find-turn.ts';
import type { TurnPorts } from '../../../src/http/turns/turn-request.ts';

interface World {
  readonly context?: object | null;
  readonly log?: readonly object[];
  readonly transcript?: readonly object[];
  readonly lives?: readonly object[];
}

const CONTEXT = { userId: 'ann', shares: [], turn: null, queue: [] };
const ANN = { tenant: '', userId: 'ann', isProven: true, seesOwnOnly: true };
const QUERY: TurnQuery = { sessionId: 's', turnId: 't', participant: ANN, reach: 'own' };

const place = (offset: number) => ({ offset, epoch: 7 });
const named = { turn_id: 't', message_id: 'm' };
const started = (offset: number) => ({
  type: 'turn.started',
  ...place(offset),
  ...named,
  queued: 0,
  content: 'Why?',
});
const delta = (offset: number, text = 'So.') => ({ type: 'delta', ...place(offset), turn_id: 't', text });
const completed = (offset: number) => ({
  type: 'turn.completed',
  ...place(offset),
  ...named,
  finish_reason: 'stop',
});
const queued = (offset: number) => ({
  type: 'message.queued',
  ...place(offset),
  message_id: 'm',
  position: 1,
});
const line = (role: string, content: string) => ({ role, content, turnId: 't', at: 5 });
const TRANSCRIPT = [line('user', 'Why?'), line('assistant', 'So.')];
const life = (userId: string) => ({ sessionId: 's', userId, lines: TRANSCRIPT, turns: [] });

function portsOf({ context = CONTEXT, log = [], transcript = [], lives = [] }: World): TurnPorts {
  const frames = log.map((frame) => ({ ...(frame as { offset: number }), data: JSON.stringify(frame) }));
  const head = frames.at(-1)?.offset ?? 0;
  return {
    clock: { now: () => 1 },
    sessions: { view: async () => (context === null ? null : { context, head, epoch: 7 }) },
    store: {
      readLog: async (_: string, after: number) => ({
        frames: frames.filter(({ offset }) => offset > after),
        first: frames[0]?.offset ?? 1,
        head,
      }),
      readTranscript: async () => transcript,
    },
    archive: { of: () => ({ read: async () => lives }) },
  } as unknown as TurnPorts;
}

const types = (found: Awaited<ReturnType<typeof findTurn>>) => found?.frames.map(({ type }) => type);

test('a turn that ended is found in the log, with the frame of its queued message', async () => {
  const found = await findTurn(portsOf({ log: [queued(1), started(2), delta(3), completed(4)] }), QUERY);
  expect(found).toMatchObject({ state: 'ended', isRebuilt: false, messageId: 'm' });
  expect(types(found)).toEqual(['message.queued', 'turn.started', 'delta', 'turn.completed']);
});

test('a running turn is found with the place from which its other frames follow', async () => {
  const context = { ...CONTEXT, turn: { id: 't', messageIds: ['m'] } };
  const found = await findTurn(portsOf({ context, log: [started(1), delta(2)] }), QUERY);
  expect(found).toMatchObject({ state: 'running', after: 2, epoch: 7, messageId: 'm' });
});

test('a turn that ends while it is looked for is found ended', async () => {
  const context = { ...CONTEXT, turn: { id: 't', messageIds: ['m'] } };
  const found = await findTurn(portsOf({ context, log: [started(1), delta(2), completed(3)] }), QUERY);
  expect(found).toMatchObject({ state: 'ended', isRebuilt: false });
});

test('a turn that waits is found in the queue', async () => {
  const context = { ...CONTEXT, queue: [{ turnId: 't', messageIds: ['m'] }] };
  const found = await findTurn(portsOf({ context, log: [queued(1)] }), QUERY);
  expect(found).toMatchObject({ state: 'queued', turnId: 't', after: 1 });
  expect(types(found)).toEqual(['message.queued']);
});

test('a merged message is found in the queue under the turn of the message before it', async () => {
  const context = { ...CONTEXT, queue: [{ turnId: 'u', messageIds: ['l', 'm'] }] };
  const found = await findTurn(portsOf({ context, log: [queued(1)] }), { ...QUERY, messageId: 'm' });
  expect(found).toMatchObject({ state: 'queued', turnId: 'u' });
});

test.each([
  ['all of it', [], undefined],
  ['its beginning', [delta(9), completed(10)], 10],
])('a turn of which the log lost %s is rebuilt from the transcript', async (_, log, offset) => {
  const found = await findTurn(portsOf({ log, transcript: TRANSCRIPT }), QUERY);
  expect(found).toMatchObject({ state: 'ended', isRebuilt: true });
  expect(found?.frames).toMatchObject([
    { type: 'turn.started', content: 'Why?' },
    { type: 'delta', text: 'So.' },
    { type: 'turn.completed', offset: offset ?? 0 },
  ]);
});

test('a turn of a session that ended is rebuilt from the archive for its owner', async () => {
  const found = await findTurn(portsOf({ context: null, lives: [life('ann')] }), QUERY);
  expect(types(found)).toEqual(['turn.started', 'delta', 'turn.completed']);
});

test('a turn of a session of another user looks absent, live or archived', async () => {
  const context = { ...CONTEXT, userId: 'bob' };
  const log = [started(1), completed(2)];
  expect(await findTurn(portsOf({ context, log, lives: [life('bob')] }), QUERY)).toBeNull();
});

test('a turn that never was is absent', async () => {
  expect(await findTurn(portsOf({ log: [started(1)] }), { ...QUERY, turnId: 'x' })).toBeNull();
});
