import { describe, expect, it } from 'vitest';
import { chatCallOf, resumeCommand } from '../../../src/client/chat/arguments.ts';

describe('the arguments of the terminal client', () => {
  it.each([
    ['ws://127.0.0.1:7999', 'ws://127.0.0.1:7999/v1/session'],
    ['wss://chat.example/', 'wss://chat.example/v1/session'],
    ['ws://[::1]:7999', 'ws://[::1]:7999/v1/session'],
    ['ws://chat.example/behind/v1/session', 'ws://chat.example/behind/v1/session'],
  ])('the chat completes --url %s to %s', (url, completed) => {
    expect(chatCallOf(['--url', url])).toMatchObject({ kind: 'run', urls: [completed] });
  });

  it('--wait sets the chat’s wait for a connection in seconds; without it the program chooses', () => {
    expect(chatCallOf([])).toMatchObject({ kind: 'run', waitMs: null });
    expect(chatCallOf(['--wait', '0'])).toMatchObject({ kind: 'run', waitMs: 0 });
    expect(chatCallOf(['--wait', '5'])).toMatchObject({ kind: 'run', waitMs: 5_000 });
    for (const wait of ['soon', '1.5', '']) expect(chatCallOf(['--wait', wait]).kind).toBe('wrong');
  });

  it('--user names the chat’s user, and an impossible name is refused', () => {
    expect(chatCallOf([])).toMatchObject({ kind: 'run', userId: null });
    expect(chatCallOf(['--user', 'dr ann'])).toMatchObject({ kind: 'run', userId: 'dr ann' });
    for (const user of ['', 'a\u001fb', 'x'.repeat(257)])
      expect(chatCallOf(['--user', user]).kind).toBe('wrong');
  });

  it('--token-file names the file with the chat’s token, and no argument takes the token itself', () => {
    expect(chatCallOf([])).toMatchObject({ kind: 'run', tokenFile: null });
    expect(chatCallOf(['--token-file', 'my token'])).toMatchObject({ kind: 'run', tokenFile: 'my token' });
    expect(chatCallOf(['--token', 'secret']).kind).toBe('wrong');
  });

  it('--help explains --wait with its default in a pipe', () => {
    const call = chatCallOf(['--help']);
    expect(call.kind === 'print' ? call.text : '').toMatch(/--wait .*default is 30 in a pipe/);
  });

  it('the command that resumes a session quotes its addresses for a shell', () => {
    expect(resumeCommand(['ws://127.0.0.1:8080/v1/session'], 'id')).toBe('npm run chat -- --session id');
    expect(resumeCommand(['ws://[::1]:1/v1/session'], 'id')).toBe(
      "npm run chat -- --url 'ws://[::1]:1/v1/session' --session id",
    );
    expect(resumeCommand(['ws://127.0.0.1:8080/v1/session'], 'id', 'dr ann')).toBe(
      "npm run chat -- --session id --user 'dr ann'",
    );
    expect(resumeCommand(['ws://127.0.0.1:8080/v1/session'], 'id', null, 'my token')).toBe(
      "npm run chat -- --session id --token-file 'my token'",
    );
  });
});
