import { EventEmitter } from 'node:events';
import { expect, it } from 'vitest';
import { logConnections } from '../../../src/store/redis/connection.ts';

function watched() {
  const commits = new EventEmitter();
  const hints = new EventEmitter();
  const lines: string[] = [];
  logConnections([commits, hints], 'redis.example:6379', (level, message, fields) =>
    lines.push([level, message, fields.redis, fields.error].filter(Boolean).join(' | ')),
  );
  const failBoth = (reason: string, times: number): void => {
    for (let round = 0; round < times; round += 1)
      for (const connection of [commits, hints]) connection.emit('error', new Error(reason));
  };
  return { commits, hints, lines, failBoth };
}

it('an absent Redis is one line in the log, however often the store dials it', () => {
  const { lines, failBoth } = watched();
  failBoth('connect ECONNREFUSED', 15);
  expect(lines).toEqual(['warn | redis connection | redis.example:6379 | connect ECONNREFUSED']);
});

it('another reason for failed Redis connections is another line, and so is success on all of them', () => {
  const { commits, hints, lines, failBoth } = watched();
  failBoth('connect ECONNREFUSED', 3);
  failBoth('LOADING', 3);
  commits.emit('ready');
  expect(lines).toHaveLength(2);
  hints.emit('ready');
  failBoth('connect ECONNREFUSED', 3);
  expect(lines.map((line) => line.split(' | ').at(-1))).toEqual([
    'connect ECONNREFUSED',
    'LOADING',
    'redis.example:6379',
    'connect ECONNREFUSED',
  ]);
  expect(lines[2]).toMatch(/^info \| redis connected again/);
});

it('Redis connections that succeed at the first attempt log nothing', () => {
  const { commits, hints, lines } = watched();
  commits.emit('ready');
  hints.emit('ready');
  expect(lines).toEqual([]);
});
