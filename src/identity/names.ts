/** Names decides which texts are the ids of users and of tenants. */

const USER_ID_MAX = 256;
const CONTROL = /\p{Cc}/u;
const TENANT = /^[A-Za-z0-9._-]{1,64}$/;

/**
 * Lone surrogates become one and the same character where an id is stored or sent, so that several users would count as
 * one. U+FFFD is that character: it stands for bytes of a header that were no text.
 */
export function isUserId(text: string): boolean {
  const isShort = text.length >= 1 && text.length <= USER_ID_MAX;
  return isShort && text.isWellFormed() && !CONTROL.test(text) && !text.includes('\u{FFFD}');
}

export function isTenantName(text: string): boolean {
  return TENANT.test(text);
}
