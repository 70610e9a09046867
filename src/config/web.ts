/** Web reads the settings of which pages may use the service, and under which names it answers. */
import { parsed } from './values.ts';

/** As browsers write an origin: a scheme, a host and a port that is not the scheme's own, all in lower case. */
const ORIGIN = /^[a-z][a-z\d+.-]*:\/\/(\[[\da-f:]+\]|[a-z\d._-]+)(:\d{1,5})?$/;
const HOST = /^(\[[\da-f:.]+\]|[a-z\d._-]+)(:\d{1,5})?$/;

const listOf = (text: string) => text.split(',').flatMap((one) => one.trim() || []);

export const allowedOrigins = parsed((text) => {
  const value = listOf(text);
  const wrong = value.find((origin) => !isOrigin(origin));
  if (wrong === undefined) return { kind: 'parsed', value };
  const why = 'is not a list of origins as browsers write them, such as https://app.example';
  return { kind: 'wrong', why: wrong === '*' ? `${why}; each origin must be named` : why };
});

export const allowedHosts = parsed((text) => {
  const value = listOf(text).map((host) => host.toLowerCase());
  return value.every((host) => HOST.test(host))
    ? { kind: 'parsed', value }
    : { kind: 'wrong', why: 'is not a list of host names, such as chat.example or chat.example:8443' };
});

/** Schemes such as `capacitor:` have an origin for browsers, but none for URL. */
function isOrigin(text: string): boolean {
  if (!ORIGIN.test(text) || !URL.canParse(text)) return false;
  return !/^(https?|wss?):/.test(text) || new URL(text).origin === text;
}
