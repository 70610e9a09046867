/** Regenerate, fork, and cancel of a waiting message, on the machine alone. */
import { describe, expect, test } from 'vitest';
import { beginStepped, framesOf, type SteppedSession } from '../../support/machine/stepped-session.ts';

const refusedWith = (code: string, messageId?: string) => [
  { type: 'refused', code, ...(messageId === undefined ? {} : { messageId }) },
];

/** A session with two answered questions of no named user. */
function answered(client = {}): SteppedSession {
  const session = beginStepped({}, client);
  for (const number of [1, 2]) {
    session.ask(number);
    session.complete();
  }
  return session;
}

describe('regenerate', () => {
  test.each(['connected', 'idle'])(
    'regenerate takes a turn back and answers its question again as a new turn, in the state %s',
    (state) => {
      const session = answered();
      if (state === 'idle') session.receive({ type: 'detach', instance: 'a' });
      expect(session.askAgain(3, { turns: ['t2'] })).toEqual([
        { type: 'taken', messageId: 'm3' },
        { type: 'forget', turnId: 't2' },
        { type: 'frame', frame: { type: 'turn.retracted', turn_id: 't2' } },
        { type: 'frame', frame: { type: 'state', value: 'processing' } },
        { type: 'question', turnId: 't3', content: 'question 1', author: null, at: session.now },
        {
          type: 'frame',
          frame: { type: 'turn.started', turn_id: 't3', message_id: 'm3', queued: 0, content: 'question 1' },
        },
      ]);
      expect(session.context).toMatchObject({ turnCount: 2, turn: { id: 't3', attempt: 1 } });
      session.complete();
      expect(Object.keys(session.value as object)).toEqual([state]);
    },
  );

  test('regenerate of an earlier turn takes back all turns after it too', () => {
    const session = answered();
    const frames = framesOf(session.askAgain(3, { turns: ['t1', 't2'] }));
    expect(frames.slice(0, 2)).toEqual([
      { type: 'turn.retracted', turn_id: 't1' },
      { type: 'turn.retracted', turn_id: 't2' },
    ]);
    expect(session.context.turnCount).toBe(1);
  });

  test('regenerate with a new question asks that question, in the name of the user that sent it', () => {
    const session = beginStepped({}, { userId: 'ana' });
    session.ask(1, { author: 'ana' });
    session.complete();
    const retraction = { turnIds: ['t1'], content: 'question 1', author: 'ana', isOneAuthor: true };
    const effects = session.askAgain(2, { author: 'ana', content: 'And the left knee?', retraction });
    expect(effects).toContainEqual(
      expect.objectContaining({ type: 'question', content: 'And the left knee?', author: 'ana' }),
    );
  });

  test('regenerate passes its options, instructions and tags to the new turn', () => {
    const session = answered();
    const extras = { instructions: 'Answer in Latin.', tags: { try: '2' } };
    const frames = framesOf(session.askAgain(3, { options: { maxTokens: 9 }, ...extras }));
    expect(session.context.turn).toMatchObject({ options: { maxTokens: 9 }, ...extras });
    expect(frames.at(-1)).toMatchObject({ type: 'turn.started', tags: { try: '2' } });
    expect(JSON.stringify(frames)).not.toContain('Latin');
  });

  test('regenerate is refused if the transcript has no such turn', () => {
    const session = answered();
    const { context } = session;
    const asked = { type: 'regenerate', messageId: 'm3', turnId: 't3', options: {} } as const;
    expect(session.receive(asked)).toEqual(refusedWith('unknown_turn', 'm3'));
    expect(session.context).toEqual(context);
  });

  test('a repeated regenerate is refused as a duplicate, before, while and after its turn runs', () => {
    const session = answered();
    session.askAgain(3, { turns: ['t2'] });
    expect(session.askAgain(3, { turns: ['t2'] })).toEqual(refusedWith('duplicate_message', 'm3'));
    session.complete();
    expect(session.askAgain(3, { isRepeat: true })).toEqual(refusedWith('duplicate_message', 'm3'));
  });

  test('regenerate is refused while another turn runs', () => {
    const session = answered();
    session.ask(3);
    expect(session.askAgain(4)).toEqual(refusedWith('session_busy', 'm4'));
  });

  test.each([
    ['the question is of another user', { author: 'ben', isOneAuthor: true }],
    ['a later question is of another user', { author: 'ana', isOneAuthor: false }],
  ])('a user cannot take back turns if %s', (_, questions) => {
    const session = beginStepped({}, { userId: 'ana' });
    session.ask(1, { author: 'ana' });
    session.complete();
    const retraction = { turnIds: ['t1'], content: 'question 1', ...questions };
    expect(session.askAgain(2, { author: 'ana', retraction })).toEqual(refusedWith('forbidden', 'm2'));
  });
});

describe('fork', () => {
  test.each(['connected', 'processing', 'idle'])('a fork is recorded in the state %s', (state) => {
    const session = answered();
    if (state === 'idle') session.receive({ type: 'detach', instance: 'a' });
    if (state === 'processing') session.ask(3);
    const fork = { type: 'fork', messageId: 'f1', sessionId: 'copy' } as const;
    expect(session.receive({ ...fork, turnId: 't1' })).toEqual([
      { type: 'frame', frame: { type: 'forked', message_id: 'f1', session_id: 'copy', after: 't1' } },
    ]);
    expect(framesOf(session.receive({ ...fork, turnId: null }))).toEqual([
      { type: 'forked', message_id: 'f1', session_id: 'copy' },
    ]);
    expect(Object.keys(session.value as object)).toEqual([state]);
  });

  test('a forked session remembers the session and the turn that it came from', () => {
    const origin = { sessionId: 'first', turnId: 't7' };
    const session = answered({ origin });
    expect(session.context.origin).toEqual(origin);
  });
});

describe('cancel of a waiting message', () => {
  test.each([
    ['its turn', { turnId: 't2' }],
    ['its message', { messageId: 'm2' }],
  ])('a cancel that names %s takes a message out of the queue, and the running turn goes on', (_, named) => {
    const session = beginStepped();
    for (const number of [1, 2, 3]) session.ask(number);
    expect(framesOf(session.receive({ type: 'cancel', ...named }))).toEqual([
      { type: 'turn.cancelled', turn_id: 't2', message_id: 'm2', reason: 'client' },
    ]);
    expect(session.context).toMatchObject({ turn: { id: 't1' }, queue: [{ turnId: 't3' }] });
    expect(framesOf(session.complete()).at(-1)).toMatchObject({ type: 'turn.started', turn_id: 't3' });
  });

  test('merged messages leave the queue together, and each gets its frame', () => {
    const session = beginStepped();
    session.ask(1);
    for (const number of [2, 3]) session.ask(number, { policy: 'merge' });
    const frames = framesOf(session.receive({ type: 'cancel', messageId: 'm2' }));
    expect(frames.map((frame) => ('message_id' in frame ? frame.message_id : null))).toEqual(['m2', 'm3']);
    expect(session.context.queue).toEqual([]);
  });

  test('a cancel that names a message of the running turn ends that turn', () => {
    const session = beginStepped();
    session.ask(1);
    expect(framesOf(session.receive({ type: 'cancel', messageId: 'm1' })).at(0)).toMatchObject({
      type: 'turn.cancelled',
      turn_id: 't1',
    });
  });
});

test('a hello with tags replaces the tags of the session, but not the hello of a reader', () => {
  const session = beginStepped({}, { userId: 'ana' });
  const share = { id: 's1', userId: 'ben', access: 'read', expiresAt: session.now + 60_000 } as const;
  session.receive({ type: 'share', author: 'ana', share });
  session.receive({ type: 'attach', instance: 'a', userId: 'ana', tags: { ward: '3b' } });
  session.receive({ type: 'attach', instance: 'a', userId: 'ben', tags: { ward: 'none' } });
  expect(session.context.tags).toEqual({ ward: '3b' });
});
