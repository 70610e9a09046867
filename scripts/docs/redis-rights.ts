/** Writes the rights of the Redis user into OPERATIONS.md and docker-compose.yml. */
import { readFileSync } from 'node:fs';
import { aclRule } from '../../src/store/redis/server/acl.ts';

const LINE = /(ACL SETUSER rehydra on >PASSWORD ).*/;
/** From the password of the instances' user to the next key of the service. */
const WORDS = /( {6}- ">\$\{REDIS_PASSWORD[^\n]*\n)(?: {6}- [^\n]*\n)+/;

export function operationsWithRights(): string {
  return readFileSync('docs/OPERATIONS.md', 'utf8').replace(LINE, (_line, start) => start + aclRule());
}

export function composeWithRights(): string {
  const words = aclRule()
    .split(' ')
    .map((word) => `      - ${/^[+r]/.test(word) ? word : `"${word}"`}\n`);
  return readFileSync('docker-compose.yml', 'utf8').replace(WORDS, (_block, start) => start + words.join(''));
}
