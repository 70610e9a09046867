/** Loads the Lua scripts from the files in commands/. */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';

export interface Script {
  readonly text: string;
  readonly sha: string;
}

function source(name: string): string {
  return readFileSync(new URL(`./commands/${name}.lua`, import.meta.url), 'utf8');
}

function load(name: string): Script {
  const text = source(name).replace(/^-- @include (\w+)$/gm, (_line, included: string) => source(included));
  return { text, sha: createHash('sha1').update(text).digest('hex') };
}

export const scripts = {
  claim: load('claim'),
  holder: load('holder'),
  commit: load('commit'),
  append: load('append'),
  renew: load('renew'),
  release: load('release'),
  discard: load('discard'),
  push: load('push'),
  sweep: load('sweep'),
  read: load('read'),
  log: load('log'),
  list: load('list'),
  page: load('page'),
  count: load('count'),
  users: load('users'),
  export: load('export'),
  stage: load('stage'),
  import: load('import'),
  heartbeat: load('heartbeat'),
  deregister: load('deregister'),
  probe: load('probe'),
} as const;
