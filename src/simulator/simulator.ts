/**
 * The simulator is an HTTP server that answers like vLLM's OpenAI-compatible one.
 *
 * A request passes key → route → body → job (job.ts) → answer (answering.ts) → tokens (generation.ts).
 * One difference to vLLM is deliberate: /v1/models reports `owned_by: "rehydra-simulator"`, so that a client can mark
 * the answers as simulated.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { authority } from '../startup/address.ts';
import { listenFailure } from '../startup/start-failure.ts';
import { Engine, PrefixCache } from './engine/engine.ts';
import { FaultBook } from './engine/faults.ts';
import { type SimulatorStats, Statistics } from './engine/statistics.ts';
import { type AnswerContext, answerJob } from './protocol/answering.ts';
import { type JobKind, readJob } from './protocol/job.ts';
import { detokenize, isObject, type JsonObject, type Tokenized, tokenize } from './protocol/prompt.ts';
import {
  flattened,
  invalidJson,
  notFound,
  type Refusal,
  unauthorized,
  withNamedCode,
  wrongContentType,
} from './protocol/refusals.ts';
import { sendJson, sendRefusal, sendText } from './protocol/responses.ts';
import { resolveSettings, type Settings, type SimulatorOptions } from './settings.ts';

export type { SimulatorStats } from './engine/statistics.ts';
export type { SimulatorOptions } from './settings.ts';

export interface Simulator {
  /** Ends in /v1. */
  readonly url: string;
  readonly port: number;
  stats(): SimulatorStats;
  /** With false /health answers 503 as a dead engine does; the simulator still serves requests. */
  setHealthy(healthy: boolean): void;
  close(): Promise<void>;
}

const MAX_BODY_BYTES = 32 * 1024 * 1024;
const VERSION = '0.32.0+rehydra.simulator';

export async function startSimulator(options: SimulatorOptions = {}): Promise<Simulator> {
  const settings = resolveSettings(options);
  const statistics = new Statistics();
  const engine = new Engine(settings.maxConcurrent, settings.maxQueued);
  const faultBook = new FaultBook();
  const context: AnswerContext = { settings, engine, statistics, prefixCache: new PrefixCache() };
  const startedS = Math.floor(Date.now() / 1000);
  let healthy = true;

  function refuse(res: ServerResponse, refusal: Refusal): void {
    statistics.refused('other');
    const named = settings.rustFrontEnd ? withNamedCode(refusal) : refusal;
    sendRefusal(res, settings.flatErrors ? flattened(named) : named);
  }

  async function generate(api: JobKind, req: IncomingMessage, res: ServerResponse): Promise<void> {
    const body = await readBody(req);
    if (body.kind === 'refusal') return refuse(res, body);
    const faultHeader = req.headers['x-simulator-fault'];
    const header = Array.isArray(faultHeader) ? faultHeader.join(';') : faultHeader;
    const job = readJob(api, body.value, header, settings, faultBook);
    if (job.kind === 'refusal') return refuse(res, job);
    await answerJob(context, job, req, res);
  }

  async function sendTokens(
    read: (body: JsonObject) => Tokenized,
    req: IncomingMessage,
    res: ServerResponse,
  ): Promise<void> {
    const body = await readBody(req);
    const tokenized = body.kind === 'refusal' ? body : read(body.value);
    if (tokenized.kind === 'refusal') refuse(res, tokenized);
    else sendJson(res, 200, tokenized.body);
  }

  async function route(req: IncomingMessage, res: ServerResponse): Promise<void> {
    const path = (req.url ?? '/').split('?')[0] ?? '/';
    const key = settings.apiKey;
    if (key !== null && path.startsWith('/v1') && req.headers.authorization !== `Bearer ${key}`) {
      return refuse(res, unauthorized());
    }
    switch (`${req.method} ${path}`) {
      case 'POST /v1/chat/completions':
        return await generate('chat', req, res);
      case 'POST /v1/completions':
        return await generate('text', req, res);
      case 'POST /tokenize':
        return await sendTokens((body) => tokenize(body, settings), req, res);
      case 'POST /detokenize':
        return await sendTokens(detokenize, req, res);
      case 'GET /v1/models':
        return sendJson(res, 200, modelList(settings, startedS));
      case 'GET /health':
        return sendText(res, healthy ? 200 : 503, '', 'text/plain');
      case 'GET /version':
        return sendJson(res, 200, { version: VERSION });
      case 'GET /load':
        return sendJson(res, 200, { server_load: engine.running + engine.waiting });
      case 'GET /metrics':
        return sendText(res, 200, statistics.metrics(engine, settings), 'text/plain; version=0.0.4');
      default:
        return refuse(res, notFound());
    }
  }

  const server = createServer((req, res) => {
    route(req, res).catch((error: unknown) => {
      // A client may reset while it sends its body; the operator must see any other error.
      if (!req.destroyed)
        process.stderr.write(`simulator: ${error instanceof Error ? error.stack : error}\n`);
      res.destroy();
    });
  });
  server.keepAliveTimeout = settings.keepAliveMs;
  const port = await listen(server, settings.host, settings.port);

  return {
    url: `http://${authority(settings.host, port)}/v1`,
    port,
    stats: () => statistics.report(engine),
    setHealthy(value) {
      healthy = value;
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

function listen(server: Server, host: string, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    const refuse = (cause: unknown): void => {
      reject(listenFailure(cause, { host, port, hostName: 'SIMULATOR_HOST', portName: 'SIMULATOR_PORT' }));
    };
    server.once('error', refuse);
    server.listen(port, host, () => {
      server.off('error', refuse);
      resolve((server.address() as AddressInfo).port);
    });
  });
}

type Body = { readonly kind: 'body'; readonly value: JsonObject } | Refusal;

async function readBody(req: IncomingMessage): Promise<Body> {
  const contentType = (req.headers['content-type'] ?? '').split(';')[0]?.trim().toLowerCase();
  const parts: Buffer[] = [];
  let bytes = 0;
  for await (const part of req as AsyncIterable<Buffer>) {
    bytes += part.length;
    if (bytes > MAX_BODY_BYTES) return invalidJson();
    parts.push(part);
  }
  if (contentType !== 'application/json') return wrongContentType();
  try {
    const value: unknown = JSON.parse(Buffer.concat(parts).toString('utf8'));
    return isObject(value) ? { kind: 'body', value } : invalidJson();
  } catch {
    return invalidJson();
  }
}

function modelList({ model, maxModelLen, loras, owner, rustFrontEnd }: Settings, createdS: number): unknown {
  const card = { object: 'model', created: createdS, owned_by: owner };
  if (rustFrontEnd) return { object: 'list', data: [{ id: model, ...card }] };
  const base = { id: model, ...card, root: model, parent: null, max_model_len: maxModelLen, permission: [] };
  const adapters = loras.map((id) => ({ ...base, id, root: id, parent: model, max_model_len: null }));
  return { object: 'list', data: [base, ...adapters] };
}
