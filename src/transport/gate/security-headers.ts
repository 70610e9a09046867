/** Headers that every HTTP answer carries, unless its route gives another value. */

const ALWAYS = {
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  // An answer that a browser shows as a page runs nothing, loads nothing, and appears in no frame.
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
  'cross-origin-resource-policy': 'same-origin',
  'cache-control': 'no-store',
};

const YEAR_S = 31_536_000;

/** With TLS, browsers that have been here use no other way for a year. */
export function securityHeaders(isEncrypted: boolean): Readonly<Record<string, string>> {
  return isEncrypted ? { ...ALWAYS, 'strict-transport-security': `max-age=${YEAR_S}` } : ALWAYS;
}
