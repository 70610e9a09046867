/** Finds the caller of each request, and refuses what the table of permissions does not allow. */
import { type Audit, actorOf } from '../../audit/audit.ts';
import type { ErrorCode } from '../../errors.ts';
import { actingUser, actsForDisabled } from '../../identity/acting-user.ts';
import type { Authenticated, Authenticator } from '../../identity/authenticator.ts';
import { bearerIn } from '../../identity/bearer.ts';
import { type Caller, OPEN, STRANGER } from '../../identity/caller.ts';
import { type Permission, permissions, reachOf } from '../../identity/permissions.ts';
import { type Limits, userKey } from '../../limits/limits.ts';
import { userIdSchema } from '../../protocol/client-frames.ts';
import { type HttpAnswer, problem } from './answer.ts';
import { UNLIMITED_PATHS } from './limits.ts';
import { type Place, permissionOf } from './places.ts';
import type { HttpRequest } from './request.ts';
import { operationOf, type Route } from './router.ts';
import { USER_HEADER } from './security-schemes.ts';

export interface CallerPorts {
  readonly authenticator: Authenticator;
  readonly audit: Audit | null;
  readonly limits: Limits;
}

const UNPROVEN: Authenticated = { kind: 'accepted', caller: STRANGER };

const REFUSALS: readonly ErrorCode[] = ['unauthenticated', 'forbidden'];

/** Names the credential and its refusals in the documents of each route that needs one. */
export function describeCallers(routes: readonly Route[]): readonly Route[] {
  return routes.map((route) => {
    const { describe } = route;
    const operation = operationOf(route);
    const { stranger, service } = permissions[operation];
    if (describe === undefined || stranger === 'all') return route;
    const credential = { acceptsBasic: ACCEPT_BASIC.test(operation), actsForUser: service === 'own' };
    const errors = [...(describe.errors ?? []), ...REFUSALS];
    return { ...route, describe: { ...describe, credential, errors } };
  });
}

export function withCallers(ports: CallerPorts, place: Place, routes: readonly Route[]): readonly Route[] {
  return routes.map((route) => {
    const permission = permissionOf(operationOf(route), place);
    return { ...route, answer: (request) => answerCaller(ports, permission, route, request) };
  });
}

async function answerCaller(
  ports: CallerPorts,
  permission: Permission,
  route: Route,
  request: HttpRequest,
): Promise<HttpAnswer> {
  const operation = operationOf(route);
  const isForEveryone = permission.stranger === 'all';
  const { header, lines, address, requestId } = request;
  const { credentials } = ports.limits;
  const refuse = (code: ErrorCode, more: { readonly why?: string; readonly caller?: Caller } = {}) => {
    const { why, caller = STRANGER } = more;
    ports.audit?.note({
      action: 'refused',
      outcome: code,
      ...actorOf(caller, null),
      ...(why === undefined ? {} : { why }),
      sessionId: null,
      userId: null,
      clientId: null,
      address,
      channel: { kind: 'http', route: operation, requestId },
    });
  };
  const acceptsBasic = ACCEPT_BASIC.test(operation);
  const waitMs = credentials === null ? 0 : await credentials.wait(address);
  if (waitMs > 0 && !isForEveryone) return problem('rate_limited', requestId, undefined, waitMs);
  // A client that has failed too often gets what everyone gets, and no signature is verified for it.
  const proof = waitMs > 0 ? UNPROVEN : await prove(ports.authenticator, request, acceptsBasic);
  if (proof.kind === 'refused') {
    credentials?.spend(address);
    if (!isForEveryone) {
      refuse('unauthenticated', { why: proof.why });
      return unauthenticated(requestId, acceptsBasic);
    }
  }
  const caller = proof.kind === 'accepted' ? proof.caller : STRANGER;
  const named = userNamedIn(lines(USER_HEADER).join('\n'));
  if (ports.limits.requests !== null && header('authorization') !== '' && !UNLIMITED_PATHS.has(route.path)) {
    const requestWaitMs = await ports.limits.requests.take(requesterOf(caller, named, address));
    if (requestWaitMs > 0) return problem('rate_limited', requestId, undefined, requestWaitMs);
  }
  const reach = reachOf(caller, operation, permission);
  if (reach === 'none') {
    const code = caller.kind === 'stranger' ? 'unauthenticated' : 'forbidden';
    refuse(code, { caller });
    return code === 'forbidden' ? problem(code, requestId) : unauthenticated(requestId, acceptsBasic);
  }
  if (named === undefined) return problem('bad_request', requestId, `${USER_HEADER}: is not a user id`);
  const acting = actingUser(caller, named);
  if (acting.kind === 'refused' && caller.kind !== 'stranger') {
    refuse('forbidden', { caller });
    return problem('forbidden', requestId, `${USER_HEADER}: the credential is of another user`);
  }
  const userId = acting.kind === 'user' ? acting.userId : null;
  const isDisabled = (user: string) => actsForDisabled(ports.authenticator, caller, user);
  if (userId !== null && isDisabled(userId)) {
    refuse('forbidden', { caller, why: 'the user for whom it acts is disabled' });
    return problem('forbidden', requestId, `${USER_HEADER}: the user is disabled`);
  }
  return route.answer({ ...request, caller, reach, userId, isDisabled });
}

async function prove(
  authenticator: Authenticator,
  { lines, peer }: HttpRequest,
  acceptsBasic: boolean,
): Promise<Authenticated> {
  if (authenticator.isOff) return { kind: 'accepted', caller: OPEN };
  const shown = bearerIn(authenticator.readsBearers === false ? [] : lines('authorization'), acceptsBasic);
  if (shown.kind === 'refused') return shown;
  const bearer = shown.kind === 'bearer' ? shown.bearer : null;
  return authenticator.authenticate({ bearer, header: (name) => lines(name).join('\n'), peer });
}

/** The key of the rate of requests: users behind one address do not share it, and a service acts for many users. */
function requesterOf(caller: Caller, named: string | null | undefined, address: string): string {
  if (caller.kind !== 'identified') return address;
  const userId = caller.role === 'service' ? (named ?? caller.subject) : caller.subject;
  return userKey(userId, caller.tenant);
}

/** A browser asks its user for name and password, and sends them again with each file of the page. */
const ACCEPT_BASIC = /^GET \/(dashboard|api\/analytics)/;

/** The same for every credential that is missing or not valid. */
function unauthenticated(requestId: string, acceptsBasic: boolean): HttpAnswer {
  const refusal = problem('unauthenticated', requestId);
  const challenge = acceptsBasic ? 'Basic realm="rehydra", charset="UTF-8"' : 'Bearer realm="rehydra"';
  return { ...refusal, headers: { ...refusal.headers, 'www-authenticate': challenge } };
}

/** Null: none is named; undefined: the header is no user id. Two lines are none: a program in between may read the other one. */
function userNamedIn(header: string): string | null | undefined {
  if (header === '') return null;
  try {
    const name = decodeURIComponent(header);
    return userIdSchema.safeParse(name).success ? name : undefined;
  } catch {
    return undefined;
  }
}
