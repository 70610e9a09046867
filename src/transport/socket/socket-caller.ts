/**
 * SocketCaller is the caller of one socket: from the headers of its upgrade, from the token of its hello, and from the
 * tokens that renew it.
 *
 *  CALLER-1  A renewed credential is of the same subject, role and tenant: a socket never changes hands.
 */
import type { Audit } from '../../audit/audit.ts';
import { actsForDisabled, mayStillAct, type Participant, participantOf } from '../../identity/acting-user.ts';
import type { Authenticator } from '../../identity/authenticator.ts';
import { bearerIn, onlyOne, type Shown } from '../../identity/bearer.ts';
import { type Caller, type Identity, OPEN, STRANGER } from '../../identity/caller.ts';
import { reachOf } from '../../identity/permissions.ts';
import type { Limits } from '../../limits/limits.ts';

export type Proof =
  | { readonly kind: 'proven' }
  /** `waitMs` is given if the client has failed too often. */
  | {
      readonly kind: 'refused';
      readonly code: 'unauthenticated' | 'forbidden' | 'rate_limited';
      /** For the audit log alone. */
      readonly why?: string;
      readonly waitMs?: number;
    };

export const PROVEN: Proof = { kind: 'proven' };

export class SocketCaller {
  readonly #authenticator: Authenticator;
  readonly #limits: Limits;
  readonly #address: string;
  #caller: Caller;
  /** The user for whom it takes part in a conversation. */
  #userId: string | null = null;

  constructor(
    authenticator: Authenticator,
    limits: Limits,
    { address, caller }: { readonly address: string; readonly caller: Caller },
  ) {
    this.#authenticator = authenticator;
    this.#limits = limits;
    this.#address = address;
    this.#caller = caller;
  }

  /** `AUTH=off`: there is nothing to prove. */
  get isOpen(): boolean {
    return this.#caller.kind === 'open';
  }

  get caller(): Caller {
    return this.#caller;
  }

  /** End of the credential in ms since the epoch; null: it has none. */
  get expiresAt(): number | null {
    return this.#caller.kind === 'identified' ? this.#caller.expiresAt : null;
  }

  /** False once the credential has expired or was withdrawn, or the user for whom it acts is disabled. */
  holds(now: number): boolean {
    return mayStillAct(this.#authenticator, this.#caller, this.#userId, now);
  }

  /** The client in a conversation. Null: it may take part in none, or not under the claimed name. */
  participant(claimed: string | null): Participant | null {
    const participant =
      reachOf(this.#caller, 'hello') === 'none' ? null : participantOf(this.#caller, claimed);
    if (participant === null || actsForDisabled(this.#authenticator, this.#caller, participant.userId))
      return null;
    this.#userId = participant.userId;
    return participant;
  }

  /** Takes a token, if the client shows one, and says whether the socket has a caller then. */
  async show(token: string | undefined): Promise<Proof> {
    if (this.#caller.kind === 'open') return PROVEN;
    if (token === undefined)
      return this.#caller.kind === 'stranger' ? { kind: 'refused', code: 'unauthenticated' } : PROVEN;
    const { credentials } = this.#limits;
    const waitMs = credentials === null ? 0 : await credentials.wait(this.#address);
    if (waitMs > 0) return { kind: 'refused', code: 'rate_limited', waitMs };
    const shown = await this.#authenticator.authenticate({ bearer: token, header: () => '', peer: '' });
    const caller = shown.kind === 'accepted' ? shown.caller : STRANGER;
    if (caller.kind !== 'identified') {
      credentials?.spend(this.#address);
      const { why } = shown.kind === 'refused' ? shown : { why: undefined };
      return { kind: 'refused', code: 'unauthenticated', ...(why === undefined ? {} : { why }) };
    }
    if (this.#caller.kind === 'identified' && !isSame(caller, this.#caller))
      return { kind: 'refused', code: 'forbidden' };
    this.#caller = caller;
    return PROVEN;
  }
}

export type UpgradeProof =
  | { readonly kind: 'accepted'; readonly caller: Caller }
  | { readonly kind: 'refused'; readonly code: 'unauthenticated' | 'rate_limited'; readonly waitMs?: number };

/** Proves the client by the headers of its upgrade. A client that shows nothing is a stranger, and its hello has a token. */
export async function proveUpgrade(
  ports: { readonly authenticator: Authenticator; readonly limits: Limits; readonly audit: Audit | null },
  upgrade: {
    readonly address: string;
    readonly peer: string;
    readonly lines: (name: string) => readonly string[];
    /** The bearer among its sub-protocols. */
    readonly shown: Shown;
  },
): Promise<UpgradeProof> {
  const { authenticator, limits, audit } = ports;
  if (authenticator.isOff) return { kind: 'accepted', caller: OPEN };
  const { address, peer, lines } = upgrade;
  const { credentials } = limits;
  const waitMs = credentials === null ? 0 : await credentials.wait(address);
  if (waitMs > 0) return { kind: 'refused', code: 'rate_limited', waitMs };
  const authorization = authenticator.readsBearers === false ? [] : lines('authorization');
  const shown = onlyOne(bearerIn(authorization, false), upgrade.shown);
  const bearer = shown.kind === 'bearer' ? shown.bearer : null;
  const header = (name: string) => lines(name).join('\n');
  const proof = shown.kind === 'refused' ? shown : await authenticator.authenticate({ bearer, header, peer });
  if (proof.kind === 'accepted') return proof;
  credentials?.spend(address);
  audit?.note({
    action: 'refused',
    outcome: 'unauthenticated',
    sessionId: null,
    userId: null,
    clientId: null,
    why: proof.why,
    address,
    channel: { kind: 'upgrade', route: 'GET /v1/session' },
  });
  return { kind: 'refused', code: 'unauthenticated' };
}

function isSame(one: Identity, other: Identity): boolean {
  return one.subject === other.subject && one.role === other.role && one.tenant === other.tenant; // CALLER-1
}
