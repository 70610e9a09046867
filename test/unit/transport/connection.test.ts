import { afterEach, describe, expect, it } from 'vitest';
import type { ErrorCode } from '../../../src/errors.ts';
import { OPEN } from '../../../src/identity/caller.ts';
import type { ServerFrame } from '../../../src/protocol/server-frames.ts';
import type { Store } from '../../../src/store/contract.ts';
import { Connection, type ConnectionPorts } from '../../../src/transport/socket/connection.ts';
import { openStage, type Stage } from '../../support/actor/stage.ts';

const bytes = (frame: Readonly<Record<string, unknown>>): ArrayBuffer =>
  new TextEncoder().encode(JSON.stringify(frame)).slice().buffer as ArrayBuffer;

describe('connection', () => {
  let stage: Stage;
  afterEach(async () => {
    await stage.close();
  });

  /** Makes a connection on a wire that accepts so many frames, with changed ports where a test needs them. */
  function wired(changes: Partial<ConnectionPorts> = {}, room = Number.POSITIVE_INFINITY) {
    const sent: ServerFrame[] = [];
    const closes: { readonly code: number; readonly reason: string }[] = [];
    const connection = new Connection(
      { ...stage.ports, ...changes },
      {
        address: '192.0.2.1',
        caller: OPEN,
        send(frames) {
          if (sent.length + frames.length > room) return false;
          sent.push(...frames.map((frame) => JSON.parse(frame) as ServerFrame));
          return true;
        },
        close: (code, reason) => void closes.push({ code, reason }),
      },
    );
    return { connection, sent, closes };
  }

  it.each([
    ['that is going away', { draining: () => true }, 'draining', 1012],
    ['that cannot keep up', { overloaded: () => true }, 'overloaded', 1013],
  ] as const)(
    'a connection to an instance %s is closed with the time to retry elsewhere',
    async (_, changes, code, close) => {
      stage = await openStage();
      const before = stage.calls.length;
      const { connection, sent, closes } = wired(changes);
      connection.receive(bytes({ type: 'hello' }));
      await stage.settle();
      expect(sent).toMatchObject([{ type: 'error', code, retryable: true, retry_after_ms: 100 }]);
      expect(closes).toMatchObject([{ code: close }]);
      expect(stage.calls.length).toBe(before);
    },
  );

  it('a connection whose hello fails because the store is away may repeat it, and leaves nothing behind', async () => {
    let away = true;
    const wrap = (store: Store): Store => ({
      ...store,
      watch: (sessionId) => (away ? Promise.reject(new Error('away')) : store.watch(sessionId)),
    });
    stage = await openStage({ wrap });
    const { connection, sent, closes } = wired();
    connection.receive(bytes({ type: 'hello' }));
    await stage.settle();
    expect(sent).toMatchObject([{ type: 'error', code: 'store_unavailable', retryable: true }]);
    expect([...stage.ports.services.hub.sessions]).toEqual([]);
    away = false;
    connection.receive(bytes({ type: 'hello' }));
    await stage.settle();
    expect(sent[1]).toMatchObject({ type: 'welcome', resumed: false });
    expect(closes).toEqual([]);
  });

  it('a connection whose wire is full is closed once as a slow consumer', async () => {
    stage = await openStage();
    const { connection, sent, closes } = wired({}, 2);
    connection.receive(bytes({ type: 'hello', after: 0 }));
    await stage.settle();
    for (let times = 0; times < 3; times += 1) connection.receive(bytes({ type: 'ping' }));
    expect(sent.map(({ type }) => type)).toEqual(['welcome', 'state']);
    expect(closes).toMatchObject([{ code: 4010 }]);
  });

  it('a closed connection neither receives nor sends a frame', async () => {
    stage = await openStage();
    const { connection, sent, closes } = wired();
    connection.receive(bytes({ type: 'hello' }));
    await stage.settle();
    connection.closed();
    const [frames, runs] = [sent.length, stage.generator.runs.length];
    connection.receive(bytes({ type: 'message', id: 'm', content: 'Anybody?' }));
    connection.refuse('internal');
    connection.closed();
    await stage.settle();
    expect([sent.length, stage.generator.runs.length, closes.length]).toEqual([frames, runs, 0]);
  });

  it('a connection that closes while its hello is answered detaches from its session', async () => {
    stage = await openStage();
    const { connection } = wired();
    connection.receive(bytes({ type: 'hello', session_id: '6f1c2a9e-8a4e-4a57-9f0b-0d1f2c3b4a59' }));
    connection.closed();
    await stage.settle();
    expect([...stage.ports.services.hub.sessions]).toEqual([]);
    const view = await stage.ports.services.sessions.view('6f1c2a9e-8a4e-4a57-9f0b-0d1f2c3b4a59');
    expect(view).toMatchObject({ state: 'idle', context: { attached: [] } });
  });

  it('a message without a policy gets the configured overlap policy', async () => {
    stage = await openStage();
    const { connection, sent } = wired({ defaultPolicy: 'reject' });
    connection.receive(bytes({ type: 'hello' }));
    for (const id of ['a', 'b']) connection.receive(bytes({ type: 'message', id, content: id }));
    connection.receive(bytes({ type: 'message', id: 'c', content: 'c', policy: 'queue' }));
    await stage.settle();
    const refused = sent.flatMap((frame) => (frame.type === 'error' ? [[frame.message_id, frame.code]] : []));
    expect(refused).toEqual([['b', 'session_busy' satisfies ErrorCode]]);
    expect(sent.filter(({ type }) => type === 'message.queued')).toMatchObject([{ message_id: 'c' }]);
  });
});
