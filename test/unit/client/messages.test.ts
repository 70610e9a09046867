import { describe, expect, it } from 'vitest';
import { FRAME_MAX_BYTES } from '../../../src/client/outbox.ts';
import { MAX_FRAME_BYTES } from '../../../src/protocol/client-frames.ts';
import { scene, started } from './client-scene.ts';

describe('the messages of a session', () => {
  it('a client sends earlier messages with its first welcome', () => {
    const { greet, session } = scene();
    const id = session.send('early', { policy: 'reject', options: { max_tokens: 5 } });
    expect(greet().sent.slice(1)).toEqual([
      { type: 'message', id, content: 'early', policy: 'reject', options: { max_tokens: 5 } },
    ]);
  });

  it('a client resends its messages in order and with the same ids until the server has decided about them', () => {
    const { greet, clock, session } = scene();
    const first = greet();
    const ids = ['begun', 'queued', 'refused', 'in doubt', 'unseen'].map((content) => session.send(content));
    const [begun, queued, refusedId, inDoubt, unseen] = ids as [string, string, string, string, string];
    first.say(started(2, begun));
    first.say({ type: 'message.queued', offset: 3, epoch: 1, message_id: queued, position: 1 });
    const error = { type: 'error', message: '', retryable: true };
    first.say({ ...error, code: 'queue_full', message_id: refusedId });
    expect(session.unacknowledged).toEqual([inDoubt, unseen]);
    first.say({ ...error, code: 'store_unavailable', message_id: inDoubt });
    expect(first.closedWith).toBe(4000);
    clock.advance(5_000);
    const second = greet({ offset: 3 });
    expect(second.ofType('message').map(({ id }) => id)).toEqual([inDoubt, unseen]);
  });

  it('a client keeps a message that it gets between two connections, and sends it with the next welcome', () => {
    const { greet, clock, session } = scene();
    greet().end(1006);
    const id = session.send('meanwhile');
    expect(session.unacknowledged).toEqual([id]);
    clock.advance(5_000);
    expect(greet().ofType('message')).toEqual([{ type: 'message', id, content: 'meanwhile' }]);
  });

  it('duplicate_message settles a message: its frames are in the log', () => {
    const { greet, clock, session } = scene();
    const first = greet();
    const id = session.send('once');
    first.end(1006);
    clock.advance(50);
    const second = greet();
    expect(second.ofType('message')).toHaveLength(1);
    second.say({ type: 'error', code: 'duplicate_message', message: '', retryable: false, message_id: id });
    expect(session.unacknowledged).toEqual([]);
    second.end(1006);
    clock.advance(5_000);
    expect(greet().ofType('message')).toEqual([]);
  });

  it('one turn settles all the messages that it merged', () => {
    const { greet, session } = scene();
    const socket = greet();
    const ids = [session.send('one'), session.send('two')];
    socket.say({ ...started(2, ids[1]!), message_ids: ids });
    expect(session.unacknowledged).toEqual([]);
  });

  it('a client refuses a message that is too long for one frame', () => {
    expect(FRAME_MAX_BYTES).toBe(MAX_FRAME_BYTES);
    const { session } = scene();
    expect(() => session.send('ü'.repeat(FRAME_MAX_BYTES / 2))).toThrow(RangeError);
    expect(session.unacknowledged).toEqual([]);
  });
});
