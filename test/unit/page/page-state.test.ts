import { describe, expect, it } from 'vitest';
import type { ClientEvent, DurableFrame, Welcome } from '../../../src/client/package/client.ts';
import {
  afterEvent,
  firstState,
  type PageState,
  shownWaiting,
  withWaiting,
} from '../../../src/client/page/state/page-state.ts';

const NOW = 1_000_000;
const moment = { now: NOW, userId: 'alice', conversation: { offset: 7, state: null } } as const;
const lived = (state: PageState, ...events: readonly ClientEvent[]): PageState =>
  events.reduce((now, event) => afterEvent(now, event, moment), state);

type Body<F = DurableFrame> = F extends DurableFrame ? Omit<F, 'offset' | 'epoch'> : never;
const frame = (body: Body): ClientEvent => ({
  type: 'frame',
  frame: { offset: 1, epoch: 1, ...body } as DurableFrame,
});
const welcomed = (more: Partial<Welcome> = {}): ClientEvent => ({
  type: 'welcomed',
  welcome: {
    type: 'welcome',
    session_id: '0b5f3c1e-6c0a-4a53-9d0a-6f5f0c9a1b2d',
    resumed: true,
    state: 'connected',
    offset: 7,
    epoch: 1,
    created_at: NOW,
    expires_at: NOW + 60_000,
    absolute_expires_at: NOW + 600_000,
    instance: 'north',
    ...more,
  },
});
const refused = (code: string, message_id?: string): ClientEvent => ({
  type: 'error',
  error: {
    type: 'error',
    code,
    message: `text of ${code}`,
    retryable: false,
    ...(message_id === undefined ? {} : { message_id }),
  } as Extract<ClientEvent, { type: 'error' }>['error'],
});

describe('messages that wait on the chat page', () => {
  const waiting = withWaiting(firstState, { id: 'm-1', content: 'hello' });

  it.each<readonly [string, ClientEvent]>([
    [
      'its turn',
      frame({ type: 'turn.started', turn_id: 't', message_id: 'm-1', queued: 0, content: 'hello' }),
    ],
    [
      'the turn of messages merged with it',
      frame({
        type: 'turn.started',
        turn_id: 't',
        message_id: 'm-2',
        message_ids: ['m-1', 'm-2'],
        queued: 0,
        content: 'hello\n\nyou',
      }),
    ],
    [
      'its cancellation',
      frame({ type: 'turn.cancelled', turn_id: 't', message_id: 'm-1', reason: 'client' }),
    ],
    ['its refusal', refused('queue_full', 'm-1')],
  ])('a message waits on the chat page until %s', (_, event) => {
    expect(lived(waiting, event).waiting).toEqual([]);
  });

  it.each(['duplicate_message', 'store_unavailable', 'session_moved'])(
    'a message that the client sends again after %s goes on waiting, without a note',
    (code) => {
      const state = lived(waiting, refused(code, 'm-1'));
      expect(state.waiting).toEqual(waiting.waiting);
      expect(state.notice).toBeNull();
    },
  );

  it('the page notes a refusal in the words of the server', () => {
    expect(lived(waiting, refused('queue_full', 'm-1')).notice).toBe('text of queue_full');
  });

  it('a waiting message of another client shows without words', () => {
    const event = frame({ type: 'message.queued', message_id: 'm-9', position: 2 });
    expect(lived(waiting, event).waiting.at(-1)).toEqual({ id: 'm-9', content: null });
    expect(lived(waiting, event, event).waiting).toHaveLength(2);
  });

  it('without a running turn only messages wait that the server has not decided about', () => {
    const state = withWaiting(waiting, { id: 'm-2', content: 'unsent' });
    expect(shownWaiting(state, 'processing', ['m-2'])).toHaveLength(2);
    expect(shownWaiting(state, 'connected', ['m-2'])).toEqual([{ id: 'm-2', content: 'unsent' }]);
  });
});

describe('the end of a session on the chat page', () => {
  const expiring = (expires_at: number, reason: 'idle' | 'absolute' = 'idle') =>
    frame({ type: 'expiring', expires_at, reason });
  const open = lived(firstState, welcomed({ expires_at: NOW + 60_000 }));

  it('the page warns of an end that comes, and no more once a client has extended the session', () => {
    const warned = lived(open, expiring(NOW + 60_000));
    expect(warned.ending).toEqual({ at: NOW + 60_000, reason: 'idle' });
    const extended = {
      type: 'extended',
      extended: { type: 'extended', expires_at: NOW + 120_000, absolute_expires_at: NOW + 600_000 },
    } as const;
    expect(lived(warned, extended).ending).toBeNull();
  });

  it('the page shows no warning of a replay whose end has moved or has passed', () => {
    expect(lived(open, expiring(NOW + 30_000)).ending).toBeNull();
    expect(lived(open, expiring(NOW - 1, 'absolute')).ending).toBeNull();
  });

  it('a new turn takes the warning away', () => {
    const started = { type: 'turn.started', turn_id: 't', message_id: 'm', queued: 0, content: 'x' } as const;
    expect(lived(open, expiring(NOW + 60_000), frame(started)).ending).toBeNull();
  });
});

describe('the connection of the chat page', () => {
  const lost: ClientEvent = {
    type: 'lost',
    url: 'ws://a',
    code: 1006,
    reason: '',
    nextUrl: 'ws://b',
    attempt: 2,
    retryInMs: 1_500,
  };

  it('the page knows when the client dials again, and after which frame the connection goes on', () => {
    const away = lived(firstState, welcomed(), lost);
    expect(away.link).toEqual({ kind: 'lost', retryAt: NOW + 1_500, attempt: 2 });
    const back = lived(away, { type: 'dialling', url: 'ws://b' }, welcomed({ instance: 'south' }));
    expect(back.link).toEqual({ kind: 'connected', instance: 'south' });
    expect(back).toMatchObject({ welcomes: 2, resumedAfter: 7 });
  });

  it('a share for this user to read closes the field for messages, one to write opens it', () => {
    const shared = (user_id: string, access: 'read' | 'write') =>
      frame({ type: 'shared', share_id: 's', user_id, access, expires_at: NOW + 1 });
    expect(lived(firstState, shared('bob', 'read')).isReader).toBe(false);
    const reader = lived(firstState, shared('alice', 'read'));
    expect(reader.isReader).toBe(true);
    expect(lived(reader, shared('alice', 'write')).isReader).toBe(false);
  });
});
