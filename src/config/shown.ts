/**
 * Variables as messages may show them.
 *
 *  SHOWN-1  No key and no password is ever part of what is returned, even where the value is malformed.
 */
import { withoutPasswords } from '../startup/start-failure.ts';

const SECRETS = new Set(['DATA_KEYS', 'VLLM_API_KEY', 'SIMULATOR_API_KEY']);
const URLS = /_URL$/;
const LONGEST = 80;

/** `NAME=value`, or the name alone where the value is a secret or may hold one. */
export function shown(name: string, value: string): string {
  if (SECRETS.has(name)) return name;
  const open = URLS.test(name) ? openPartOf(value) : value;
  if (open === null) return name;
  const short = open.length > LONGEST ? `${open.slice(0, LONGEST)}…` : open;
  return `${name}=${/[\s"\p{Cc}]/u.test(short) ? JSON.stringify(short) : short}`;
}

/** Null where a password may stand anywhere, as in `user:password@host` without a scheme or `password=…`. */
function openPartOf(url: string): string | null {
  const [address = '', query] = withoutPasswords(url).split('?');
  const withoutScheme = address.replaceAll(/\w+:\/\/(\*{3}@)?/g, '');
  if (/[@=]/.test(withoutScheme)) return null;
  return query === undefined ? address : `${address}?…`;
}
