import { describe, expect, it } from 'vitest';
import { emptyConversation } from '../../../src/client/assembler.ts';
import { Screen } from '../../../src/client/chat/screen.ts';
import type { ClientEvent, Session } from '../../../src/client/session.ts';
import { delta, SESSION, started } from './client-scene.ts';

function screen(): { readonly show: (event: object) => void; readonly shown: () => string } {
  let text = '';
  const sink = { write: (piece: string) => (text += piece) };
  const made = new Screen({
    answers: sink,
    notes: sink,
    resumeCommand: (id) => id,
    isResuming: true,
    urls: ['ws://one/v1/session'],
  });
  const session = { conversation: emptyConversation() } as Session;
  return { show: (event) => made.show(event as ClientEvent, session), shown: () => text };
}

const welcomed = (offset: number) => ({
  type: 'welcomed',
  welcome: { type: 'welcome', session_id: SESSION, resumed: true, instance: 'one', offset },
});
const frame = (body: object) => ({ type: 'frame', frame: body });
const asked = (offset: number, id: string, content: string) => frame({ ...started(offset, id), content });

describe('the screen of the chat', () => {
  it('the chat shows the questions of a resumed session before their answers', () => {
    const { show, shown } = screen();
    show(welcomed(3));
    show(asked(2, 'a', 'What is fever?'));
    show(frame(delta(3, 'a', 'A raised temperature.')));
    expect(shown()).toMatch(/· you: What is fever\?\nA raised temperature\.$/);
  });

  it('the chat does not repeat a question that its user has typed, even after a reconnect', () => {
    const { show, shown } = screen();
    show(welcomed(1));
    show(asked(2, 'a', 'typed here'));
    show(welcomed(3));
    show(asked(3, 'b', 'typed here too'));
    expect(shown()).not.toContain('typed here');
  });

  it('the chat names the new session, and how to resume it, when the former one is gone', () => {
    const { show, shown } = screen();
    show(welcomed(1));
    const { welcome } = welcomed(1);
    show({ type: 'welcomed', welcome: { ...welcome, session_id: 'another', resumed: false } });
    expect(shown()).toContain('new session another on one');
    expect(shown()).toContain('resume it anywhere: another');
    expect(shown()).not.toContain('connected again');
  });

  it.each([
    [4001, 'the server needs a valid token'],
    [4002, 'the token has ended'],
  ])('the chat says what to do about close %i', (code, says) => {
    const { show, shown } = screen();
    show({ type: 'over', why: 'fatal', code, reason: '' });
    expect(shown()).toContain(says);
    expect(shown()).toContain('--token-file');
  });

  it('the chat offers /extend only before an idle end', () => {
    const { show, shown } = screen();
    show(welcomed(1));
    const expiring = { type: 'expiring', epoch: 1, expires_at: 0 };
    show(frame({ ...expiring, offset: 2, reason: 'absolute' }));
    expect(shown()).not.toContain('/extend');
    show(frame({ ...expiring, offset: 3, reason: 'idle' }));
    expect(shown()).toContain('/extend keeps it open');
  });
});
