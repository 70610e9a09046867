/** The documented rights of the Redis user cannot fall behind the commands that the store uses. */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { expect, it } from 'vitest';
import { scripts } from '../../../src/store/redis/scripts.ts';
import { aclRule, commandsOf, REQUIRED_COMMANDS } from '../../../src/store/redis/server/acl.ts';

const read = (path: string) => readFileSync(new URL(`../../../${path}`, import.meta.url), 'utf8');

it('OPERATIONS documents exactly the rights that the Redis store uses', () => {
  const [, documented = ''] = /ACL SETUSER rehydra on >PASSWORD (.*)/.exec(read('docs/OPERATIONS.md')) ?? [];
  expect(documented).toBe(aclRule());
});

it('every script of the Redis store names its commands in a way that the list of rights can read', () => {
  for (const script of Object.values(scripts)) {
    const code = script.text.replaceAll(/--.*$/gm, '');
    const calls = code.match(/redis\.p?call\b/g) ?? [];
    expect(commandsOf(script)).toHaveLength(calls.length);
    for (const command of commandsOf(script)) expect(REQUIRED_COMMANDS).toContain(command);
  }
});

it('the rights of the Redis user cover the scripts of redlock', () => {
  const redlock = readFileSync(createRequire(import.meta.url).resolve('redlock'), 'utf8');
  const commands = [...redlock.matchAll(/redis\.p?call\("(\w+)"/g)].map(([, name = '']) =>
    name.toUpperCase(),
  );
  expect(commands.length).toBeGreaterThan(0);
  for (const command of commands) expect(REQUIRED_COMMANDS).toContain(command);
});
