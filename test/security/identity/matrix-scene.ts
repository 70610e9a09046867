/** The scene of the permission matrix: a session with an owner and guests, and every kind of caller that may ask for it. */
import { randomUUID } from 'node:crypto';
import { ask, get, post, type Reply, replyOf } from '../../support/instance/http.ts';
import { type Identities, newIdentities, showing } from '../../support/instance/identities.ts';
import type { Instance } from '../../support/instance/instance.ts';

export const CALLERS = [
  'none',
  'expired',
  'wrong audience',
  'other user',
  'other tenant',
  'revoked guest',
  'read guest',
  'write guest',
  'owner',
  'service',
  'service for another',
  'auditor',
  'admin',
  'admin of another tenant',
] as const;
export type CallerName = (typeof CALLERS)[number];

export interface Shown {
  /** Null: shows no credential. */
  readonly bearer: string | null;
  /** User that a service names. */
  readonly onBehalfOf?: string;
}

/** The tenant of the session. */
export const TENANT = 'north';
export const OWNER = 'olga';

export interface Credentials {
  of(caller: CallerName): Shown;
}

/** All credentials are there before an instance starts: an instance looks for new keys only now and then. */
export async function openIdentities(): Promise<Credentials & Identities> {
  const identities = newIdentities();
  return { ...identities, ...(await credentialsOf(identities)) };
}

async function credentialsOf(identities: Identities): Promise<Credentials> {
  const inTenant = (subject: string) => identities.token(subject, { tenant: TENANT });
  const key = (name: string, role: 'service' | 'auditor' | 'admin', tenant = TENANT) =>
    identities.apiKey(name, role, { tenant });
  const service = key('web', 'service');
  const shown: Readonly<Record<CallerName, Shown>> = {
    none: { bearer: null },
    expired: { bearer: await identities.token(OWNER, { tenant: TENANT, endsInSeconds: -3_600 }) },
    'wrong audience': {
      bearer: await identities.token(OWNER, { tenant: TENANT, claims: { aud: 'another-service' } }),
    },
    'other user': { bearer: await inTenant('otto') },
    // The same name in another tenant is another user.
    'other tenant': { bearer: await identities.token(OWNER, { tenant: 'south' }) },
    'revoked guest': { bearer: await inTenant('rita') },
    'read guest': { bearer: await inTenant('rene') },
    'write guest': { bearer: await inTenant('wanda') },
    owner: { bearer: await inTenant(OWNER) },
    service: { bearer: service, onBehalfOf: OWNER },
    'service for another': { bearer: service, onBehalfOf: 'otto' },
    auditor: { bearer: key('figures', 'auditor') },
    admin: { bearer: key('operator', 'admin') },
    'admin of another tenant': { bearer: key('southern', 'admin', 'south') },
  };
  return { of: (caller) => shown[caller] };
}

export function headersOf({ bearer, onBehalfOf }: Shown): Readonly<Record<string, string>> {
  return {
    ...(bearer === null ? {} : showing(bearer)),
    ...(onBehalfOf === undefined ? {} : { 'rehydra-user': onBehalfOf }),
  };
}

export interface Scene {
  readonly sessionId: string;
  /** Share of the guest who may read. */
  readonly shareId: string;
  /** The one turn of the session. */
  readonly turnId: string;
}

/** A session of the owner, with a guest who may read, one who may write, and one whose share was revoked. */
export async function openScene({ http }: Instance, credentials: Credentials): Promise<Scene> {
  const headers = headersOf(credentials.of('owner'));
  const answer = await ask(http, { chief_complaint: 'a cough' }, headers);
  const sessionId = answer.session_id;
  const shares = `${http}/api/session/${sessionId}/shares`;
  const invite = async (user_id: string, access: 'read' | 'write') => {
    const reply = await post(shares, { user_id, access }, headers);
    if (reply.status !== 201) throw new Error(`${reply.status} ${JSON.stringify(reply.body)}`);
    return (reply.body as { readonly share_id: string }).share_id;
  };
  const shareId = await invite('rene', 'read');
  await invite('wanda', 'write');
  const revoked = await invite('rita', 'write');
  await get(`${shares}/${revoked}`, { method: 'DELETE', headers });
  return { sessionId, shareId, turnId: answer.metadata.turn_id };
}

/** A request for the session, or for one that does not exist. */
export interface Request {
  readonly method: string;
  readonly path: string;
  readonly body?: unknown;
}

/** Of an answer that does not end it reads the head only. */
export async function send(
  { http }: Instance,
  { method, path, body }: Request,
  shown: Shown,
): Promise<Reply> {
  const headers = headersOf(shown);
  if (/\/events/.test(path)) {
    const response = await fetch(`${http}${path}`, { method, headers });
    if (response.status !== 200) return replyOf(response);
    await response.body?.cancel();
    return { status: response.status, headers: response.headers, body: null };
  }
  return body === undefined
    ? get(`${http}${path}`, { method, headers })
    : post(`${http}${path}`, body, headers);
}

/** What a client can tell two answers apart by: all but the random id of the request, and the date. */
export function visible(reply: Reply): string {
  const headers = [...reply.headers].filter(([name]) => name !== 'date').sort();
  const body = JSON.stringify(reply.body).replace(/"request_id":"[^"]*"/, '"request_id":"…"');
  return JSON.stringify({ status: reply.status, headers, body });
}

export const newId = (): string => randomUUID();
