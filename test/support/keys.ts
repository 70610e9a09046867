/** Sealing keys, as an operator makes them. */
import { randomBytes } from 'node:crypto';
import { fixedRing, type SealingKeys } from '../../src/sealing/key-ring.ts';
import { parseKeys } from '../../src/sealing/keys.ts';

/** One line of DATA_KEYS. */
export function keyLine(id: string): string {
  return `${id}:${randomBytes(32).toString('base64')}`;
}

export function sealingWith(lines: string, plain: SealingKeys['plain'] = 'read'): SealingKeys {
  const parsed = parseKeys(lines);
  if (parsed.kind === 'wrong') throw new Error(parsed.why);
  return { ring: fixedRing(parsed.value), plain };
}
