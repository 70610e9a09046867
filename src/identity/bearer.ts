/**
 * Bearer finds the one credential that a client shows: in `Authorization`, or as a sub-protocol of a WebSocket.
 *
 * A client that shows something unreadable, or two credentials, is refused: as a stranger it would get the answers of
 * another caller than it thinks it is.
 */

export type Shown =
  | { readonly kind: 'none' }
  | { readonly kind: 'bearer'; readonly bearer: string }
  /** `why` holds nothing of what the client sent. */
  | { readonly kind: 'refused'; readonly why: string };

/** Longer than any token of an issuer, and short enough to parse for a stranger. */
export const BEARER_MAX_LENGTH = 8 * 1024;

/** What the server answers to a WebSocket that offers it. It never answers with the sub-protocol of a bearer. */
const SUB_PROTOCOL = 'rehydra.v1';
const BEARER_PROTOCOL = 'rehydra.bearer.';

/** `b64token` of RFC 6750. */
const BEARER = /^[\w.~+/-]+=*$/;
const BASE64 = /^[A-Za-z0-9+/]+={0,2}$/;

const NONE: Shown = { kind: 'none' };

/**
 * Reads the lines of `Authorization`; empty ones count as none. `acceptsBasic`: a browser that opens a page asks its user for name and password; the
 * password is the bearer, and the name means nothing.
 */
export function bearerIn(lines: readonly string[], acceptsBasic: boolean): Shown {
  const [line, ...more] = lines.filter((one) => one !== '');
  if (line === undefined) return NONE;
  if (more.length > 0) return refused('several Authorization headers');
  const [, scheme = '', credentials = ''] = /^(\S+) +(\S+)$/.exec(line.trim()) ?? [];
  switch (scheme.toLowerCase()) {
    case 'bearer':
      return checked(credentials);
    case 'basic':
      return acceptsBasic ? checked(passwordIn(credentials)) : refused('Basic is for pages only');
    default:
      return refused('Authorization names no bearer');
  }
}

export interface SubProtocols {
  /** The sub-protocol to answer with; empty: none. */
  readonly answers: string;
  readonly shown: Shown;
}

const NOTHING_OFFERED: SubProtocols = { answers: '', shown: NONE };

/** Reads `Sec-WebSocket-Protocol`. */
export function subProtocolsIn(header: string): SubProtocols {
  if (header === '') return NOTHING_OFFERED;
  const offered = header.split(',').map((name) => name.trim());
  const [bearer, ...more] = offered.filter((name) => name.startsWith(BEARER_PROTOCOL));
  return {
    answers: offered.includes(SUB_PROTOCOL) ? SUB_PROTOCOL : '',
    shown:
      bearer === undefined
        ? NONE
        : more.length > 0
          ? refused('several bearers among the sub-protocols')
          : checked(bearer.slice(BEARER_PROTOCOL.length)),
  };
}

/** The one credential of several places. The same bearer in two places counts as one. */
export function onlyOne(...places: readonly Shown[]): Shown {
  const shown = places.filter(({ kind }) => kind !== 'none');
  const [first = NONE] = shown;
  const refusal = shown.find(({ kind }) => kind === 'refused');
  if (refusal !== undefined) return refusal;
  const bearers = new Set(shown.map((one) => (one.kind === 'bearer' ? one.bearer : '')));
  return bearers.size > 1 ? refused('several different bearers') : first;
}

function checked(bearer: string): Shown {
  if (bearer.length > BEARER_MAX_LENGTH) return refused('the bearer is too long');
  return BEARER.test(bearer) ? { kind: 'bearer', bearer } : refused('the bearer is malformed');
}

/** Empty if the credentials are no name and password. */
function passwordIn(credentials: string): string {
  // The bound comes first: a pair of name and bearer takes at most twice the bearer's length.
  if (credentials.length > 2 * BEARER_MAX_LENGTH || !BASE64.test(credentials)) return '';
  const pair = Buffer.from(credentials, 'base64').toString('utf8');
  const colon = pair.indexOf(':');
  return colon < 0 ? '' : pair.slice(colon + 1);
}

function refused(why: string): Shown {
  return { kind: 'refused', why };
}
