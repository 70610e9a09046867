/**
 * Serves HTTP routes with uWebSockets.js. The request is invalid after the handler returns, so its head is read first; a
 * chunk of a body is valid during its callback only; a response whose client is gone throws on any call.
 */
import { randomUUID } from 'node:crypto';
import type { HttpRequest, HttpResponse, TemplatedApp } from 'uws-node20';
import { type HttpAnswer, problem, Refusal, type StreamSink } from '../http/core/answer.ts';
import { UNLIMITED_PATHS } from '../http/core/limits.ts';
import { answer, type Route } from '../http/core/router.ts';
import type { Limit, Limits } from '../limits/limits.ts';
import type { Log } from '../telemetry/log.ts';
import { headersOf } from './headers.ts';
import type { Peer, PeerOf } from './peer.ts';

const BODY_MAX_BYTES = 1024 * 1024;
/** Bytes that may wait for a slow reader of a stream; more end the stream. */
const STREAM_BACKLOG_MAX_BYTES = 1024 * 1024;

interface Exchange {
  readonly res: HttpResponse;
  readonly isHead: boolean;
  gone: boolean;
  /** Answered already. */
  ignoresBody: boolean;
  readonly onGone: (() => void)[];
  /** Runs, once or more, when the response has ended. */
  over: () => void;
}

export interface HttpServer {
  readonly unanswered: () => number;
}

export function serveHttp(
  app: TemplatedApp,
  routes: readonly Route[],
  { limits, log }: { readonly limits: Limits; readonly log: Log },
  peerOf: PeerOf,
): HttpServer {
  const unanswered = new Set<Exchange>();
  app.any('/*', (res, req) => {
    const exchange: Exchange = {
      res,
      isHead: req.getMethod() === 'head',
      gone: false,
      ignoresBody: false,
      onGone: [],
      over: () => unanswered.delete(exchange),
    };
    res.onAborted(() => {
      exchange.gone = true;
      for (const task of exchange.onGone) task();
    });
    const head = headOf(req, exchange, peerOf(res, req), log);
    // Before the first await: a chunk without a listener is lost.
    const reading = readBody(exchange);
    const body = async () => {
      // A drain does not wait for a client that is still sending.
      unanswered.delete(exchange);
      const text = await reading;
      unanswered.add(exchange);
      if (text === null) throw new Refusal('too_large');
      return text;
    };
    const answered = async () => {
      unanswered.add(exchange);
      return answer(routes, { ...head, body });
    };
    const limited = async (limit: Limit) => {
      const waitMs = await limit.take(head.address);
      if (waitMs === 0) return answered();
      return problem('rate_limited', randomUUID(), undefined, waitMs);
    };
    const { requests } = limits;
    (requests === null || UNLIMITED_PATHS.has(head.path) ? answered() : limited(requests))
      .then((reply) => write(exchange, reply))
      .catch((error: unknown) => {
        exchange.over();
        log.error({ err: error }, 'answer failed');
      });
  });
  return { unanswered: () => unanswered.size };
}

function headOf(req: HttpRequest, exchange: Exchange, { address, peer }: Peer, log: Log) {
  const { header, lines } = headersOf(req);
  const path = req.getUrl();
  return {
    method: req.getMethod().toUpperCase(),
    path,
    address,
    peer,
    query: new URLSearchParams(req.getQuery() ?? ''),
    header,
    lines,
    onGone(task: () => void) {
      if (exchange.gone) task();
      else exchange.onGone.push(task);
    },
    failed: (error: unknown, requestId: string) => log.error({ err: error, path, requestId }, 'route failed'),
  };
}

/** Null if the body is larger than any request needs. */
function readBody(exchange: Exchange): Promise<string | null> {
  return new Promise((resolve) => {
    const chunks: Buffer[] = [];
    let bytes = 0;
    exchange.res.onData((chunk, isLast) => {
      if (exchange.ignoresBody) return;
      bytes += chunk.byteLength;
      if (bytes <= BODY_MAX_BYTES) chunks.push(Buffer.from(new Uint8Array(chunk)));
      if (isLast) resolve(bytes <= BODY_MAX_BYTES ? Buffer.concat(chunks).toString('utf8') : null);
    });
  });
}

function write(exchange: Exchange, reply: HttpAnswer): void {
  const { res, isHead } = exchange;
  const { body } = reply;
  exchange.ignoresBody = true;
  const isStream = typeof body !== 'string' && !isHead;
  if (exchange.gone || !isStream) exchange.over();
  if (exchange.gone) return;
  res.cork(() => {
    res.writeStatus(String(reply.status));
    for (const [name, value] of Object.entries(reply.headers)) res.writeHeader(name, value);
    if (isHead) endHead(res, body);
    else if (typeof body === 'string') res.end(body);
  });
  if (isStream) body(sinkOf(exchange));
}

/** Writes the length as a header: as an argument of `endWithoutBody` it would keep the response open. */
function endHead(res: HttpResponse, body: HttpAnswer['body']): void {
  if (typeof body === 'string') res.writeHeader('content-length', String(Buffer.byteLength(body)));
  res.endWithoutBody();
}

function sinkOf(exchange: Exchange): StreamSink {
  const { res } = exchange;
  const start = res.getWriteOffset();
  let written = 0;
  return {
    write(chunk) {
      if (exchange.gone) return false;
      written += Buffer.byteLength(chunk);
      let kept = true;
      res.cork(() => {
        kept = res.write(chunk) || start + written - res.getWriteOffset() <= STREAM_BACKLOG_MAX_BYTES;
      });
      if (!kept) res.close();
      return kept;
    },
    end() {
      exchange.over();
      if (exchange.gone) return;
      exchange.gone = true;
      res.cork(() => {
        res.end();
      });
    },
  };
}
