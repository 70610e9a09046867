/** The actor refuses messages beyond the budgets of their authors, and charges what answers cost. */
import { afterEach, describe, expect, it } from 'vitest';
import type { GenerationCompleted } from '../../../src/generation/port.ts';
import type { BudgetLimits } from '../../../src/limits/budgets.ts';
import type { ServerFrame } from '../../../src/protocol/server-frames.ts';
import { openStage, type Stage, type Visitor } from '../../support/actor/stage.ts';

const HOUR_MS = 3_600_000;
/** The stage's clock begins at 1,000,000 ms. */
const UNTIL_MIDNIGHT_MS = 24 * HOUR_MS - 1_000_000;

const completed = (prompt: number, completion: number): GenerationCompleted => ({
  kind: 'completed',
  finishReason: 'stop',
  usage: { prompt_tokens: prompt, completion_tokens: completion },
  model: 'm',
  replica: 'r',
  firstTokenMs: 1,
  totalMs: 2,
  temperature: 0,
  maxTokens: 100,
  simulated: false,
});

const errorsIn = (frames: readonly ServerFrame[]) => frames.filter((frame) => frame.type === 'error');
const startedIn = ({ frames }: Visitor) =>
  frames.flatMap((frame) => (frame.type === 'turn.started' ? [frame.message_id] : []));

describe('budgets of answers', () => {
  let stage: Stage;
  afterEach(async () => {
    await stage.close();
  });
  const open = async (budgets: Partial<BudgetLimits>) => {
    stage = await openStage({ budgets });
  };
  const greeted = async (fields: Readonly<Record<string, unknown>> = {}) => {
    const visitor = stage.connect();
    visitor.say({ type: 'hello', after: 0, ...fields });
    await stage.settle();
    return visitor;
  };
  const say = async (visitor: Visitor, id: string, extra: Readonly<Record<string, unknown>> = {}) => {
    visitor.say({ type: 'message', id, content: id, ...extra });
    await stage.settle();
  };
  const end = async (prompt = 1, completion = 1) => {
    stage.generator.running?.end(completed(prompt, completion));
    await stage.settle();
  };

  it('a message that would start one answer too many of its user is refused, and the socket stays open', async () => {
    await open({ turnsPerUserMax: 2 });
    const sessions = [];
    for (let n = 0; n < 3; n += 1) sessions.push(await greeted({ user_id: 'ada' }));
    const [first, second, third] = sessions as [Visitor, Visitor, Visitor];
    for (const visitor of sessions) visitor.say({ type: 'message', id: 'm', content: 'Good morning' });
    await stage.settle();
    expect(sessions.map(startedIn)).toEqual([['m'], ['m'], []]);
    expect(errorsIn(third.frames)).toMatchObject([
      { code: 'too_many_turns', message_id: 'm', retryable: true },
    ]);
    expect(third.closed).toBeNull();
    await say(await greeted({ user_id: 'bob' }), 'm');
    expect(stage.generator.runs).toHaveLength(3);
    first.say({ type: 'cancel' });
    await stage.settle();
    await say(third, 'm');
    expect(startedIn(third)).toEqual(['m']);
    await say(first, 'n');
    expect(errorsIn(first.frames)).toMatchObject([{ code: 'too_many_turns', message_id: 'n' }]);
    expect(errorsIn(second.frames)).toEqual([]);
  });

  it('a session with a running answer still queues messages of its user, who has no answer to spare', async () => {
    await open({ turnsPerUserMax: 1 });
    const visitor = await greeted({ user_id: 'ada' });
    for (const id of ['a', 'b', 'c']) await say(visitor, id);
    expect(errorsIn(visitor.frames)).toEqual([]);
    for (let n = 0; n < 3; n += 1) await end();
    expect(startedIn(visitor)).toEqual(['a', 'b', 'c']);
    await say(await greeted({ user_id: 'ada' }), 'd');
    expect(stage.generator.runs).toHaveLength(4);
  });

  it('a message that the session refuses, or that repeats an id, leaves its user’s answer free', async () => {
    await open({ turnsPerUserMax: 1 });
    const visitor = await greeted({ user_id: 'ada' });
    await say(visitor, 'a');
    await end();
    await say(visitor, 'a');
    expect(errorsIn(visitor.frames)).toMatchObject([{ code: 'duplicate_message' }]);
    await say(await greeted({ user_id: 'ada' }), 'b');
    expect(stage.generator.running?.request.messages.at(-1)?.content).toBe('b');
  });

  it('a session that closes during an answer leaves its user’s answer free', async () => {
    await open({ turnsPerUserMax: 1 });
    const visitor = await greeted({ user_id: 'ada' });
    await say(visitor, 'a');
    visitor.say({ type: 'close' });
    await stage.settle();
    const next = await greeted({ user_id: 'ada' });
    await say(next, 'b');
    expect(errorsIn(next.frames)).toEqual([]);
  });

  it('an answer that a new owner continues counts for the user of its session', async () => {
    await open({ turnsPerUserMax: 1 });
    const { sessions } = stage.ports.services;
    const visitor = await greeted({ user_id: 'ada' });
    await say(visitor, 'a');
    await sessions.leave();
    await stage.settle();
    await sessions.wake(
      visitor.frames.flatMap((one) => (one.type === 'welcome' ? [one.session_id] : []))[0] ?? '',
    );
    await stage.settle();
    const other = await greeted({ user_id: 'ada' });
    await say(other, 'b');
    expect(errorsIn(other.frames)).toMatchObject([{ code: 'too_many_turns' }]);
  });

  it('all users of a tenant together have as many running answers as its limit', async () => {
    await open({ turnsPerTenantMax: 2 });
    const visitors = [];
    for (const user_id of ['ada', 'bob', 'eve']) visitors.push(await greeted({ user_id }));
    visitors.push(await greeted());
    for (const visitor of visitors) await say(visitor, 'm');
    expect(visitors.map(({ frames }) => errorsIn(frames).map(({ code }) => code))).toEqual([
      [],
      [],
      ['too_many_turns'],
      ['too_many_turns'],
    ]);
  });

  it('a message beyond the tokens of the day is refused with the time until midnight, in every session of the user', async () => {
    await open({ tokensPerUserPerDay: 100 });
    const visitor = await greeted({ user_id: 'ada' });
    await say(visitor, 'a');
    await end(70, 29);
    await say(visitor, 'b');
    await end(1, 0);
    await say(visitor, 'c');
    const other = await greeted({ user_id: 'ada' });
    await say(other, 'd');
    for (const { frames } of [visitor, other])
      expect(errorsIn(frames)).toMatchObject([
        { code: 'token_budget_spent', retryable: true, retry_after_ms: UNTIL_MIDNIGHT_MS },
      ]);
    expect(visitor.closed).toBeNull();
    await say(await greeted({ user_id: 'bob' }), 'e');
    expect(stage.generator.runs).toHaveLength(3);
  });

  it('an answer that its client cancels costs what the model has written until then', async () => {
    await open({ tokensPerUserPerDay: 5 });
    const visitor = await greeted({ user_id: 'ada' });
    await say(visitor, 'a');
    for (let n = 0; n < 5; n += 1) stage.generator.running?.say({ text: 'word ' });
    visitor.say({ type: 'cancel' });
    await stage.settle();
    await say(visitor, 'b');
    expect(errorsIn(visitor.frames)).toMatchObject([{ code: 'token_budget_spent', message_id: 'b' }]);
  });

  it('a model server that fails before its first token costs its user nothing', async () => {
    await open({ tokensPerUserPerDay: 1 });
    const visitor = await greeted({ user_id: 'ada' });
    await say(visitor, 'a');
    stage.generator.running?.end({
      kind: 'failed',
      code: 'upstream_rejected',
      message: 'no',
      retryable: false,
      replica: 'r',
    });
    await stage.settle();
    await say(visitor, 'b');
    expect(errorsIn(visitor.frames)).toEqual([]);
    expect(startedIn(visitor)).toEqual(['a', 'b']);
  });

  it('in a shared session the author of a message pays, not the owner', async () => {
    await open({ tokensPerUserPerDay: 10 });
    const owner = await greeted({ user_id: 'ada' });
    const [welcome] = owner.frames;
    if (welcome?.type !== 'welcome') throw new Error('ada was not welcomed');
    const { session_id } = welcome;
    const at = stage.clock.now();
    const share = { id: 's', userId: 'eve', access: 'write', expiresAt: at + HOUR_MS } as const;
    await stage.ports.services.sessions.send(session_id, { type: 'share', at, share }, null);
    const guest = await greeted({ session_id, user_id: 'eve' });
    await say(guest, 'a');
    await end(10, 10);
    await say(guest, 'b');
    expect(errorsIn(guest.frames)).toMatchObject([{ code: 'token_budget_spent' }]);
    await say(owner, 'c');
    expect(errorsIn(owner.frames)).toEqual([]);
    expect(stage.generator.runs).toHaveLength(2);
  });

  it('a store that cannot tell the budget refuses the message, which the client may send again', async () => {
    let isAway = false;
    stage = await openStage({
      budgets: { tokensPerUserPerDay: 100 },
      wrap: (store) => ({
        ...store,
        tally: (...args) => (isAway ? Promise.reject(new Error('away')) : store.tally(...args)),
      }),
    });
    const visitor = await greeted({ user_id: 'ada' });
    isAway = true;
    await say(visitor, 'a');
    expect(errorsIn(visitor.frames)).toMatchObject([{ code: 'store_unavailable', message_id: 'a' }]);
    isAway = false;
    await say(visitor, 'a');
    expect(startedIn(visitor)).toEqual(['a']);
  });

  it('without a budget no message calls the store for one', async () => {
    stage = await openStage();
    const visitor = await greeted({ user_id: 'ada' });
    await say(visitor, 'a');
    await end(1_000_000, 1_000_000);
    await say(visitor, 'b');
    expect(stage.calls).not.toContain('tally');
  });
});
