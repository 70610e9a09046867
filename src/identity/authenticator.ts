/** Authenticator proves the identity of callers: the port of sockets and HTTP to tokens, API keys and trusted proxies. */
import { type Caller, type Identity, OPEN } from './caller.ts';

/** What a client showed. */
export interface Credentials {
  /** Without the word `Bearer`; null: none. */
  readonly bearer: string | null;
  /**
   * The value of a request header, by its lower-case name; empty if there is none. Values of a header that comes more than
   * once are joined by line ends: a client must not add a second one that is read in the proxy's place.
   */
  readonly header: (name: string) => string;
  /** Address of the socket's other end: the last proxy, or the client itself. */
  readonly peer: string;
}

/** An ended credential closes its sockets and streams within this time of the instance's notice. */
export const CHECK_CREDENTIALS_MS = 1_000;

export type Authenticated =
  | { readonly kind: 'accepted'; readonly caller: Caller }
  /** `why` is for the audit log. A client learns only that its credential is not valid. */
  | { readonly kind: 'refused'; readonly why: string };

export interface Authenticator {
  /** `off`: every caller is open, and no credential is read. */
  readonly isOff: boolean;
  /** False with `AUTH=proxy` alone: `Authorization` is between client and proxy, and may be anything. Absent: true. */
  readonly readsBearers?: boolean;
  /** Never rejects. Without any credential, the caller is a stranger, or open with `AUTH=off`. */
  authenticate(credentials: Credentials): Promise<Authenticated>;
  /** False once the credential has expired or was withdrawn. Cheap: the server asks it for every open socket. */
  holds(identity: Identity, now: number): boolean;
  /** Whether no credential of the user counts: not its own, and not that of a back end that acts for it. */
  isDisabled(user: Pick<Identity, 'subject' | 'tenant'>): boolean;
  /** Reads files of keys again. Keeps the former ones, and logs why, if a file cannot be used. */
  reload(): void;
  close(): void;
}

/** `AUTH=off`. */
export const AUTH_OFF: Authenticator = {
  isOff: true,
  authenticate: () => Promise.resolve({ kind: 'accepted', caller: OPEN }),
  holds: () => true,
  isDisabled: () => false,
  reload() {},
  close() {},
};
