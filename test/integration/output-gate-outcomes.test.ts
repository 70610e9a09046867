/** The output gate meets every answer that a store can give to a write, without a process in between. */
import { afterEach, describe, expect, it } from 'vitest';
import type { ServerFrame } from '../../src/protocol/server-frames.ts';
import type { Store } from '../../src/store/contract.ts';
import { LEASE_MS, openStage, type Stage, type Visitor } from '../support/actor/stage.ts';
import { isDurable } from '../support/instance/client.ts';

type Answer = 'as it is' | 'hangs' | 'fails' | 'fenced' | 'conflict' | 'answers nonsense';

describe('output gate', () => {
  let stage: Stage;
  let answer: Answer = 'as it is';
  let writes = 0;

  function misbehave<T>(write: () => Promise<T>): Promise<T | { readonly kind: 'fenced' | 'conflict' }> {
    writes += 1;
    switch (answer) {
      case 'as it is':
        return write();
      case 'hangs':
        return new Promise(() => {});
      case 'fails':
        return Promise.reject(new Error('the store is away'));
      case 'answers nonsense':
        return Promise.resolve(undefined as never);
      default:
        return Promise.resolve({ kind: answer });
    }
  }

  const wrap = (store: Store): Store => ({
    ...store,
    commit: (fence, commit) => misbehave(() => store.commit(fence, commit)),
    append: (fence, append) => misbehave(() => store.append(fence, append)),
  });

  afterEach(async () => {
    await stage.close();
  });

  /** Connects a client to a new session and waits for its welcome. */
  async function arrive(): Promise<Visitor> {
    answer = 'as it is';
    stage = await openStage({ wrap });
    const visitor = stage.connect();
    visitor.say({ type: 'hello', after: 0 });
    await stage.settle();
    writes = 0;
    return visitor;
  }

  const durable = (visitor: Visitor) => visitor.frames.filter(isDurable);
  const errors = (visitor: Visitor): readonly string[] =>
    visitor.frames.flatMap((frame: ServerFrame) => (frame.type === 'error' ? [frame.code] : []));

  it('until the store answers a write, no frame reaches the client and no request reaches the model', async () => {
    const visitor = await arrive();
    const before = visitor.frames.length;
    answer = 'hangs';
    visitor.say({ type: 'message', id: 'm', content: 'Good morning' });
    await stage.advance(10 * LEASE_MS);
    expect(writes).toBe(1);
    expect(visitor.frames).toHaveLength(before);
    expect(stage.generator.runs).toEqual([]);
  });

  it.each([
    ['fails', 'store_unavailable', null],
    ['fenced', 'session_moved', 1012],
    ['conflict', 'session_moved', 1012],
    // A bug: as with every bug, the actor stops and refuses the waiting clients.
    ['answers nonsense', 'internal', null],
  ] as const)(
    'after a write that the store answers with "%s" no frame leaves, and the sender gets %s',
    async (how, code, close) => {
      const visitor = await arrive();
      const before = durable(visitor).length;
      answer = how;
      visitor.say({ type: 'message', id: 'm', content: 'Good morning' });
      await stage.advance(2 * LEASE_MS);
      expect(writes).toBeGreaterThan(0);
      expect(durable(visitor)).toHaveLength(before);
      expect(stage.generator.runs).toEqual([]);
      expect(errors(visitor)).toContain(code);
      expect(visitor.closed?.code ?? null).toBe(close);
    },
  );

  it('once the store acknowledges a repeated write, all its frames leave together and the model is asked', async () => {
    const visitor = await arrive();
    const before = durable(visitor).length;
    answer = 'fails';
    visitor.say({ type: 'message', id: 'm', content: 'Good morning' });
    await stage.settle();
    expect([durable(visitor).length, stage.generator.runs.length]).toEqual([before, 0]);
    answer = 'as it is';
    await stage.advance(LEASE_MS / 2);
    expect(durable(visitor).slice(before)).toMatchObject([
      { type: 'state', value: 'processing' },
      { type: 'turn.started', message_id: 'm' },
    ]);
    expect(stage.generator.runs).toHaveLength(1);
    expect(errors(visitor)).toEqual([]);
  });

  it.each(['hangs', 'fails', 'fenced', 'conflict'] as const)(
    'text of a running turn does not reach the client when the store answers "%s"',
    async (how) => {
      const visitor = await arrive();
      visitor.say({ type: 'message', id: 'm', content: 'Good morning' });
      await stage.settle();
      const before = durable(visitor).length;
      answer = how;
      stage.generator.running?.say({ text: 'Not yet stored' });
      await stage.advance(LEASE_MS / 2);
      expect(writes).toBeGreaterThan(1);
      expect(durable(visitor)).toHaveLength(before);
      // An owner that lost the session must stop the model.
      expect(stage.generator.running === null).toBe(how === 'fenced' || how === 'conflict');
    },
  );

  it('the next turn does not start before the store has the end of the last', async () => {
    const visitor = await arrive();
    for (const id of ['a', 'b']) visitor.say({ type: 'message', id, content: id });
    await stage.settle();
    const before = durable(visitor).length;
    answer = 'hangs';
    stage.generator.running?.end({
      kind: 'completed',
      finishReason: 'stop',
      usage: { prompt_tokens: 1, completion_tokens: 0 },
      model: 'scripted',
      replica: 'scripted',
      firstTokenMs: null,
      totalMs: 1,
      temperature: 0.7,
      maxTokens: 16,
      simulated: true,
    });
    await stage.advance(LEASE_MS / 2);
    expect(durable(visitor)).toHaveLength(before);
    expect(stage.generator.runs).toHaveLength(1);
  });
});
