import { describe, expect, it } from 'vitest';
import { hashFor, readAddress } from '../../../src/client/page/state/address.ts';
import {
  forget,
  KNOWN_MAX,
  knownSessions,
  remember,
  type Shelf,
} from '../../../src/client/page/state/known-sessions.ts';
import { keepUnsent, unsentOf } from '../../../src/client/page/state/unsent.ts';
import { linkWords, outcomeWords, titleOf } from '../../../src/client/page/state/words.ts';

const ID = '0b5f3c1e-6c0a-4a53-9d0a-6f5f0c9a1b2d';

function shelf(content: Record<string, string> = {}): Shelf {
  return {
    getItem: (key) => content[key] ?? null,
    setItem: (key, value) => {
      content[key] = value;
    },
  };
}

const broken: Shelf = {
  getItem: () => {
    throw new Error('storage is off');
  },
  setItem: () => {
    throw new Error('storage is full');
  },
};

describe('what the browser keeps for the chat page', () => {
  it('the list keeps the title and the time of a session that the page opens again', () => {
    const kept = shelf();
    remember(kept, { id: 'a', title: '', at: 1 });
    remember(kept, { id: 'b', title: 'two', at: 2 });
    remember(kept, { id: 'a', title: 'one', at: 9 });
    remember(kept, { id: 'a', title: 'another', at: 9 });
    expect(knownSessions(kept)).toEqual([
      { id: 'b', title: 'two', at: 2 },
      { id: 'a', title: 'one', at: 1 },
    ]);
    forget(kept, 'b');
    expect(knownSessions(kept).map(({ id }) => id)).toEqual(['a']);
  });

  it('the oldest conversations leave a list that is full', () => {
    const kept = shelf();
    for (let at = 0; at <= KNOWN_MAX; at += 1) remember(kept, { id: `${at}`, title: '', at });
    expect(knownSessions(kept)).toHaveLength(KNOWN_MAX);
    expect(knownSessions(kept).at(-1)?.id).toBe('1');
  });

  it.each(['no JSON', '{}', '[1, null, {"id": 2}]'])('the list ignores what it did not write: %s', (text) => {
    expect(knownSessions(shelf({ 'rehydra.sessions': text }))).toEqual([]);
  });

  it('the page works in a browser whose storage is off', () => {
    expect(() => remember(broken, { id: 'a', title: '', at: 1 })).not.toThrow();
    expect(() => keepUnsent(broken, ID, [{ id: 'm', content: 'x' }])).not.toThrow();
    expect(knownSessions(broken)).toEqual([]);
    expect(unsentOf(broken, ID)).toEqual([]);
  });

  it('only the own words of messages without a turn are kept for a reload', () => {
    const kept = shelf();
    keepUnsent(kept, ID, [
      { id: 'm-1', content: 'own' },
      { id: 'm-2', content: null },
    ]);
    expect(unsentOf(kept, ID)).toEqual([{ id: 'm-1', content: 'own' }]);
    keepUnsent(kept, ID, []);
    expect(unsentOf(kept, ID)).toEqual([]);
  });
});

describe('the address of the chat page', () => {
  it('the address names session and user behind the mark that no server sees', () => {
    const { sessionId, userId } = readAddress(`https://chat.example/${hashFor(ID, 'Zoë & co')}`);
    expect({ sessionId, userId }).toEqual({ sessionId: ID, userId: 'Zoë & co' });
    expect(readAddress('https://chat.example/#session=../evil').sessionId).toBeNull();
  });

  it('a link leads the demo to instances of this machine only, and only a page of this machine', () => {
    const list = '?demo&instances=http://127.0.0.1:1,https://evil.example,nonsense,http://localhost:2';
    expect(readAddress(`http://localhost:8080/${list}`).instances).toEqual([
      'http://127.0.0.1:1',
      'http://localhost:2',
    ]);
    expect(readAddress(`https://chat.example/${list}`).instances).toEqual([]);
    expect(readAddress('http://localhost:8080/?instances=http://127.0.0.1:1').instances).toEqual([]);
  });
});

describe('the words of the chat page', () => {
  it('a lost connection counts down to the next attempt, and not below zero', () => {
    const link = { kind: 'lost', retryAt: 2_500, attempt: 3 } as const;
    expect(linkWords(link, 0)).toBe('Connection lost. Reconnecting in 3 s (attempt 3)');
    expect(linkWords(link, 9_000)).toBe('Connection lost. Reconnecting in 0 s (attempt 3)');
  });

  it.each([
    ['ended', 1000, 'closed', 'This conversation has ended.'],
    ['replaced', 4009, 'replaced', 'This conversation continues in another window.'],
    ['fatal', 4003, 'forbidden', 'You have no access to this conversation.'],
    ['fatal', 4001, 'unauthenticated', 'Your sign-in has ended.'],
    ['fatal', 1008, 'too_many_bad_frames', 'Not connected: too_many_bad_frames'],
  ])('the page says why it is %s with %i: %s', (why, code, reason, words) => {
    expect(linkWords({ kind: 'over', why, code, reason }, 0)).toBe(words);
  });

  it('an answer that ended well needs no remark, any other end has one', () => {
    expect(outcomeWords({ kind: 'completed', finishReason: 'stop' })).toBeNull();
    expect(outcomeWords({ kind: 'completed', finishReason: 'length' })).toContain('longest length');
    expect(outcomeWords({ kind: 'cancelled', reason: 'client' })).toBe('Stopped');
    expect(outcomeWords({ kind: 'failed', code: 'upstream_error', retryable: true })).toContain(
      'upstream_error',
    );
  });

  it('the title of a conversation is one short line', () => {
    expect(titleOf('  My knee\n hurts ')).toBe('My knee hurts');
    expect(titleOf('x'.repeat(200))).toHaveLength(60);
  });
});
