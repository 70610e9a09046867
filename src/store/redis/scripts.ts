/** Loads the Lua scripts from the files in commands/. */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { encoded } from './call.ts';

export interface Script {
  readonly text: string;
  readonly sha: string;
  /** `evalsha` and the hash, in RESP. */
  readonly head: string;
}

function source(name: string): string {
  return readFileSync(new URL(`./commands/${name}.lua`, import.meta.url), 'utf8');
}

function load(name: string): Script {
  const text = source(name).replace(/^-- @include (\w+)$/gm, (_line, included: string) =>
    source(`include/${included}`),
  );
  const sha = createHash('sha1').update(text).digest('hex');
  return { text, sha, head: encoded('evalsha') + encoded(sha) };
}

export const scripts = {
  claim: load('session/claim'),
  commit: load('session/commit'),
  append: load('session/append'),
  renew: load('session/renew'),
  release: load('session/release'),
  discard: load('session/discard'),
  push: load('session/push'),
  sweep: load('index/sweep'),
  read: load('session/read'),
  log: load('session/log'),
  transcript: load('session/transcript'),
  history: load('session/history'),
  list: load('index/list'),
  page: load('index/page'),
  count: load('index/count'),
  users: load('index/users'),
  tally: load('index/tally'),
  export: load('moving/export'),
  stage: load('moving/stage'),
  import: load('moving/import'),
  heartbeat: load('instances/heartbeat'),
  deregister: load('instances/deregister'),
  probe: load('instances/probe'),
  notePurge: load('purge/note'),
  notedPurge: load('purge/noted'),
  settlePurge: load('purge/settle'),
} as const;
