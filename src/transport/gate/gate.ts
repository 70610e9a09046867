/**
 * Gate decides by the head of a request alone whether it may go on, before a credential is read: over HTTP and for the
 * upgrade to a WebSocket.
 */
import { randomUUID } from 'node:crypto';
import type { Audit } from '../../audit/audit.ts';
import type { ErrorCode } from '../../errors.ts';
import { type HttpAnswer, problem } from '../../http/core/answer.ts';
import { UNLIMITED_PATHS } from '../../http/core/limits.ts';
import type { Headers } from '../request/headers.ts';
import { BODY_MAX_BYTES } from '../request/request-body.ts';
import { framingFaultOf } from './framing.ts';
import { hostsOf } from './hosts.ts';
import { originsOf } from './origins.ts';

export interface GatePorts {
  /** Null: the default of Origins. */
  readonly allowedOrigins: readonly string[] | null;
  /** Null: the default of Hosts. */
  readonly allowedHosts: readonly string[] | null;
  /** The address that the service listens on. */
  readonly host: string;
  readonly audit: Audit | null;
}

/** The head of a request. */
export interface Head extends Headers {
  readonly method: string;
  readonly path: string;
  readonly address: string;
}

export type Passage =
  /** `headers` let the page of an allowed origin read the answer. */
  | { readonly kind: 'passes'; readonly headers: Readonly<Record<string, string>> }
  /** `isSevered`: where the request ends is uncertain, so nothing after it may count as a request. */
  | { readonly kind: 'answered'; readonly answer: HttpAnswer; readonly isSevered: boolean };

export interface Gate {
  pass(head: Head): Passage;
  /** For `GET` of the socket's path. */
  passUpgrade(head: Head): Passage;
}

export const SOCKET_PATH = '/v1/session';

const METHODS = 'GET, HEAD, POST, DELETE';
/** Headers that a page may send. */
const ACCEPTED = [
  'authorization, content-type, idempotency-key, last-event-id, rehydra-policy, rehydra-user, x-run-id',
  // OpenAI's client adds them to every request.
  ...'arch helper-method lang os package-version retry-count runtime runtime-version timeout'
    .split(' ')
    .map((name) => `x-stainless-${name}`),
].join(', ');
/** Headers that a page may read, beside those that every page may. */
const EXPOSED =
  'allow, retry-after, www-authenticate, x-should-retry, x-vercel-ai-ui-message-stream, x-workflow-run-id, x-workflow-stream-tail-index';
const PREFLIGHT_KEPT_S = 600;
/** 16 bytes in base64. */
const KEY = /^[A-Za-z0-9+/]{22}==$/;
const NO_HEADERS: Readonly<Record<string, string>> = {};

export function createGate({ allowedOrigins, allowedHosts, host: listensOn, audit }: GatePorts): Gate {
  const origins = originsOf(allowedOrigins, listensOn);
  const hosts = hostsOf(allowedHosts, listensOn);

  function refuse(head: Head, code: ErrorCode, detail?: string, isSevered = false): Passage {
    const requestId = randomUUID();
    if (code === 'origin_refused' || code === 'host_refused')
      audit?.note({
        action: 'refused',
        outcome: code,
        sessionId: null,
        userId: null,
        clientId: null,
        address: head.address,
        // The path of a stranger's request may hold any text.
        channel: { kind: 'http', route: head.path === SOCKET_PATH ? `GET ${SOCKET_PATH}` : '*', requestId },
      });
    return { kind: 'answered', answer: problem(code, requestId, detail), isSevered };
  }

  function pass(head: Head): Passage {
    const fault = framingFaultOf(head);
    if (fault !== null) return refuse(head, 'bad_request', fault, true);
    const host = head.header('host');
    if (!hosts.serves(host, UNLIMITED_PATHS.has(head.path))) return refuse(head, 'host_refused');
    const [origin] = head.lines('origin');
    if (origin !== undefined && !origins.allows(origin, host)) return refuse(head, 'origin_refused');
    if (Number(head.header('content-length')) > BODY_MAX_BYTES) return refuse(head, 'too_large');
    if (origin === undefined) return { kind: 'passes', headers: NO_HEADERS };
    const headers = {
      'access-control-allow-origin': origin,
      'access-control-expose-headers': EXPOSED,
      vary: 'origin',
    };
    const isPreflight = head.method === 'OPTIONS' && head.header('access-control-request-method') !== '';
    if (!isPreflight) return { kind: 'passes', headers };
    return {
      kind: 'answered',
      answer: {
        status: 204,
        headers: {
          ...headers,
          'access-control-allow-methods': METHODS,
          'access-control-allow-headers': ACCEPTED,
          'access-control-max-age': String(PREFLIGHT_KEPT_S),
        },
        body: '',
      },
      isSevered: false,
    };
  }

  return {
    pass,
    passUpgrade(head) {
      const passage = pass(head);
      if (passage.kind === 'answered') return passage;
      const isUpgrade = head.method === 'GET' && head.header('upgrade').toLowerCase() === 'websocket';
      const hasKey = KEY.test(head.header('sec-websocket-key'));
      if (isUpgrade && hasKey && head.header('sec-websocket-version') === '13') return passage;
      return { kind: 'answered', answer: upgradeRequired(), isSevered: false };
    },
  };
}

function upgradeRequired(): HttpAnswer {
  const refusal = problem('upgrade_required', randomUUID());
  return {
    ...refusal,
    headers: { ...refusal.headers, upgrade: 'websocket', 'sec-websocket-version': '13' },
  };
}
