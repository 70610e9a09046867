import { expect, test } from 'vitest';
import { parseCommand, USAGE } from '../../../src/keys/options.ts';

test.each([
  [['new', 'keys'], { name: 'new', file: 'keys' }],
  [['rotate', 'keys'], { name: 'rotate', file: 'keys' }],
  [
    ['retire', 'keys', 'one', 'two'],
    { name: 'retire', file: 'keys', ids: ['one', 'two'], althoughEmpty: false },
  ],
  [['retire', 'keys', '--unused'], { name: 'retire', file: 'keys', ids: null, althoughEmpty: false }],
  [
    ['retire', 'keys', 'one', '--although-empty'],
    { name: 'retire', file: 'keys', ids: ['one'], althoughEmpty: true },
  ],
  [['verify'], { name: 'verify' }],
])('the program of keys takes %j', (args, command) => {
  expect(parseCommand(args)).toEqual({ kind: 'command', command });
});

test.each([
  [[], 'a command is needed'],
  [['revoke', 'keys'], 'revoke is not a command'],
  [['new'], 'new takes one file'],
  [['rotate', 'keys', 'one'], 'rotate takes one file'],
  [['rotate', 'keys', '--unused'], '--unused belongs to retire'],
  [['verify', '--although-empty'], '--although-empty belongs to retire'],
  [['retire'], 'retire takes a file'],
  [['retire', 'keys'], 'either the ids of keys or --unused'],
  [['retire', 'keys', 'one', '--unused'], 'either the ids of keys or --unused'],
  [['verify', 'keys'], 'verify takes no arguments'],
  [['verify', '--deep'], '--deep'],
])('the program of keys refuses %j and names the reason', (args, why) => {
  expect(parseCommand(args)).toEqual({ kind: 'wrong', why: expect.stringContaining(why) });
});

test('the help of the program of keys names each of its commands', () => {
  expect(parseCommand(['--help'])).toEqual({ kind: 'help' });
  for (const name of ['new', 'rotate', 'retire', 'verify'])
    expect(USAGE).toMatch(new RegExp(`^${name} `, 'm'));
});
