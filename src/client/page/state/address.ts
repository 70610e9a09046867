/** The address of the page names what it opens: `#session=ID&user=NAME`. The part behind `#` reaches no log of a server. */
export interface PageAddress {
  readonly sessionId: string | null;
  /** The user of an invitation, where the server proves no users. */
  readonly userId: string | null;
  /** Shows the demo strip. */
  readonly isDemo: boolean;
  /** Instances among which the demo moves; empty: the page's own host. */
  readonly instances: readonly string[];
}

const SESSION = /^[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}$/i;
const LOOPBACK = /^(localhost|127\.0\.0\.1)$/;

export function readAddress(href: string): PageAddress {
  const { hostname, searchParams, hash } = new URL(href);
  const named = new URLSearchParams(hash.slice(1));
  const sessionId = named.get('session') ?? '';
  const isDemo = searchParams.has('demo');
  // A link must not lead the words of a user to a foreign server.
  const mayMove = isDemo && LOOPBACK.test(hostname);
  const instances = mayMove ? (searchParams.get('instances') ?? '').split(',') : [];
  return {
    sessionId: SESSION.test(sessionId) ? sessionId.toLowerCase() : null,
    userId: named.get('user') || null,
    isDemo,
    instances: instances.filter((one) => URL.canParse(one) && LOOPBACK.test(new URL(one).hostname)),
  };
}

export function hashFor(sessionId: string, userId: string | null = null): string {
  const user = userId === null ? '' : `&user=${encodeURIComponent(userId)}`;
  return `#session=${sessionId}${user}`;
}
