/** A model server that sends exactly the bytes of the test, and a request to it through the real client. */
import { createServer, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { GenerationChunk, GenerationPrefix, GenerationResult } from '../../../src/generation/port.ts';
import type { VllmOptions } from '../../../src/generation/vllm.ts';
import { createVllmGenerator } from '../../../src/generation/vllm.ts';
import { transport } from '../../support/transport.ts';

export type Script = (res: ServerResponse, path: string, headers: NodeJS.Dict<string | string[]>) => void;

export interface ScriptedUpstream {
  /** Ends in /v1. */
  readonly url: string;
  readonly server: Server;
  close(): void;
}

export async function startScriptedUpstream(script: Script): Promise<ScriptedUpstream> {
  const server = createServer((req, res) => {
    req.resume();
    script(res, req.url ?? '', req.headers);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`,
    server,
    close() {
      server.close();
      server.closeAllConnections();
    },
  };
}

export const eventOf = (value: unknown): string => `data: ${JSON.stringify(value)}\n\n`;

export const deltaOf = (content: string, finish_reason: string | null = null): string =>
  eventOf({ choices: [{ index: 0, delta: { content }, finish_reason }] });

export const DONE = 'data: [DONE]\n\n';

export const beginStream = (res: ServerResponse): ServerResponse =>
  res.writeHead(200, { 'content-type': 'text/event-stream' });

export interface Answered {
  readonly result: GenerationResult;
  readonly text: string;
  readonly reasoning: string;
  readonly chunks: readonly GenerationChunk[];
}

export async function askUpstream(
  baseUrl: string,
  options: Partial<VllmOptions> = {},
  prefix: GenerationPrefix | null = null,
): Promise<Answered> {
  const generator = createVllmGenerator({
    baseUrls: [baseUrl],
    transport,
    model: 'm',
    timeouts: { firstTokenMs: 2_000, interTokenMs: 300, totalMs: 5_000 },
    defaultMaxTokens: 10,
    ...options,
  });
  const chunks: GenerationChunk[] = [];
  const request = { sessionId: 's', turnId: 't', attempt: 2, messages: [], prefix, options: {} };
  const result = await generator.generate(
    request,
    (chunk) => chunks.push(chunk),
    new AbortController().signal,
  );
  await generator.close();
  return {
    result,
    text: chunks.map((chunk) => chunk.text).join(''),
    reasoning: chunks.map((chunk) => chunk.reasoning ?? '').join(''),
    chunks,
  };
}
