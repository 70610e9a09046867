/**
 * Serves HTTP routes with uWebSockets.js. The request is invalid after the handler returns, so its head is read first; a
 * chunk of a body is valid during its callback only; a response whose client is gone throws on any call.
 */
import { randomUUID } from 'node:crypto';
import type { HttpRequest, HttpResponse, TemplatedApp } from 'uws-node20';
import { type HttpAnswer, problem, Refusal } from '../../http/core/answer.ts';
import { UNLIMITED_PATHS } from '../../http/core/limits.ts';
import { answer, type Route } from '../../http/core/router.ts';
import type { Limit, Limits } from '../../limits/limits.ts';
import type { Log } from '../../telemetry/log.ts';
import { type Gate, SOCKET_PATH } from '../gate/gate.ts';
import { securityHeaders } from '../gate/security-headers.ts';
import { type Headers, headersOf } from './headers.ts';
import type { Peer, PeerOf } from './peer.ts';
import { BODY_MAX_BYTES, RequestBodies, RequestBody } from './request-body.ts';
import { responseSink } from './response-sink.ts';
import { statusLine } from './status-line.ts';

interface Exchange {
  readonly res: HttpResponse;
  readonly isHead: boolean;
  readonly body: RequestBody;
  /** Of every answer to this request. */
  headers: Readonly<Record<string, string>>;
  /** Where the request ends is uncertain. */
  isSevered: boolean;
  /** The body may be longer than a request may be. */
  readonly isEndless: boolean;
  gone: boolean;
  readonly onGone: (() => void)[];
  /** Runs, once or more, when the response has ended. */
  over: () => void;
}

export interface HttpServerPorts {
  readonly limits: Limits;
  readonly log: Log;
  readonly gate: Gate;
  /** The listener speaks TLS. */
  readonly isEncrypted: boolean;
  readonly servesSockets: boolean;
}

export interface HttpServer {
  readonly unanswered: () => number;
}

export function serveHttp(
  app: TemplatedApp,
  routes: readonly Route[],
  { limits, log, gate, isEncrypted, servesSockets }: HttpServerPorts,
  peerOf: PeerOf,
): HttpServer {
  const unanswered = new Set<Exchange>();
  const bodies = new RequestBodies();
  const standard = securityHeaders(isEncrypted);
  app.any('/*', (res, req) => {
    const headers = headersOf(req);
    const exchange: Exchange = {
      res,
      isHead: req.getMethod() === 'head',
      // Before the first await: a chunk without a listener is lost.
      body: RequestBody.from(res, bodies),
      headers: standard,
      isSevered: false,
      isEndless:
        headers.header('transfer-encoding') !== '' ||
        !(Number(headers.header('content-length')) <= BODY_MAX_BYTES),
      gone: false,
      onGone: [],
      over: () => unanswered.delete(exchange),
    };
    res.onAborted(() => {
      exchange.gone = true;
      exchange.body.drop();
      for (const task of exchange.onGone) task();
    });
    const head = headOf(req, headers, exchange, peerOf(res, req), log);
    const passage = servesSockets && head.path === SOCKET_PATH ? gate.passUpgrade(head) : gate.pass(head);
    if (passage.kind === 'passes') exchange.headers = { ...standard, ...passage.headers };
    else exchange.isSevered = passage.isSevered;
    const body = async () => {
      // A drain does not wait for a client that is still sending.
      unanswered.delete(exchange);
      const received = await exchange.body.received;
      unanswered.add(exchange);
      if (received.kind === 'refused') throw new Refusal(received.code);
      return received.text;
    };
    const answered = async () => {
      if (passage.kind === 'answered') {
        // While an answer is due, uWebSockets.js ends a connection on which another request comes.
        if (passage.isSevered) await new Promise((resolve) => setImmediate(resolve));
        return passage.answer;
      }
      unanswered.add(exchange);
      return answer(routes, { ...head, body });
    };
    const limited = async (limit: Limit) => {
      const waitMs = await limit.take(head.address);
      if (waitMs === 0) return answered();
      return problem('rate_limited', randomUUID(), undefined, waitMs);
    };
    const { requests } = limits;
    // A request with a credential counts for its user, once the credential is proven (src/http/core/callers.ts).
    const isCounted = !UNLIMITED_PATHS.has(head.path) && head.header('authorization') === '';
    (requests === null || !isCounted ? answered() : limited(requests))
      .then((reply) => write(exchange, reply))
      .catch((error: unknown) => {
        exchange.over();
        log.error({ err: error }, 'answer failed');
      });
  });
  return { unanswered: () => unanswered.size };
}

function headOf(req: HttpRequest, headers: Headers, exchange: Exchange, { address, peer }: Peer, log: Log) {
  const path = req.getUrl();
  return {
    method: req.getMethod().toUpperCase(),
    path,
    address,
    peer,
    query: new URLSearchParams(req.getQuery() ?? ''),
    ...headers,
    onGone(task: () => void) {
      if (exchange.gone) task();
      else exchange.onGone.push(task);
    },
    failed: (error: unknown, requestId: string) => log.error({ err: error, path, requestId }, 'route failed'),
  };
}

function write(exchange: Exchange, reply: HttpAnswer): void {
  const { res, isHead } = exchange;
  const { body } = reply;
  exchange.body.drop();
  // Reading the rest of a body that may never end would keep the client's bytes coming.
  const closes = exchange.isSevered || (exchange.isEndless && !exchange.body.isComplete);
  const isStream = typeof body === 'function' && !isHead;
  if (exchange.gone || !isStream) exchange.over();
  if (exchange.gone) return;
  res.cork(() => {
    res.writeStatus(statusLine(reply.status));
    const headers = { ...exchange.headers, ...reply.headers };
    for (const [name, value] of Object.entries(headers)) res.writeHeader(name, value);
    if (isHead) endHead(res, body, closes);
    else if (typeof body !== 'function') res.end(body, closes);
  });
  if (isStream) body(responseSink(exchange));
}

/** Writes the length as a header: as an argument of `endWithoutBody` it would keep the response open. */
function endHead(res: HttpResponse, body: HttpAnswer['body'], closes: boolean): void {
  if (closes) return void res.end('', true);
  if (typeof body !== 'function') res.writeHeader('content-length', String(Buffer.byteLength(body)));
  res.endWithoutBody();
}
