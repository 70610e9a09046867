/**
 * The upstream is a model server that costs as little as possible: the simulator needs more time for an answer than the
 * service does. It has only the part of vLLM's API that the service uses, and the question sets its answer
 * (exchanges.ts).
 */
import { createServer, type ServerResponse } from 'node:http';
import { stampedToken } from './token-clock.ts';

const PROMPT_IDS = Array.from({ length: 64 }, (_, index) => index);
const MS = 1_000;
const ASKED = /tokens=(\d+) rate=(\d+)/g;

const event = (data: object) => `data: ${JSON.stringify(data)}\n\n`;
const chunk = (choice: object, more: object = {}) =>
  event({
    id: 'chatcmpl-bench',
    object: 'chat.completion.chunk',
    created: 0,
    model: 'bench',
    choices: [choice],
    ...more,
  });
const opening = chunk(
  { index: 0, delta: { role: 'assistant', content: '' }, finish_reason: null },
  { prompt_token_ids: PROMPT_IDS },
);
const token = () =>
  chunk({ index: 0, delta: { content: stampedToken() }, finish_reason: null, token_ids: [1] });
const closing = (tokens: number) =>
  chunk({ index: 0, delta: { content: '' }, finish_reason: 'length', token_ids: [] }) +
  event({
    id: 'chatcmpl-bench',
    object: 'chat.completion.chunk',
    created: 0,
    model: 'bench',
    choices: [],
    usage: {
      prompt_tokens: PROMPT_IDS.length,
      completion_tokens: tokens,
      total_tokens: PROMPT_IDS.length + tokens,
    },
  }) +
  'data: [DONE]\n\n';

function answer(body: string, response: ServerResponse): void {
  const asked = [...body.matchAll(ASKED)].at(-1);
  const tokens = Number(asked?.[1] ?? 1);
  const rate = Number(asked?.[2] ?? 0);
  response.writeHead(200, { 'content-type': 'text/event-stream; charset=utf-8' });
  if (tokens === 0) return response.flushHeaders();
  if (rate === 0) {
    response.end(opening + token().repeat(tokens) + closing(tokens));
    return;
  }
  response.write(opening);
  let sent = 0;
  const timer = setInterval(() => {
    sent += 1;
    response.write(token());
    if (sent < tokens) return;
    clearInterval(timer);
    response.end(closing(tokens));
  }, MS / rate);
  response.on('close', () => clearInterval(timer));
}

const server = createServer({ noDelay: true }, (request, response) => {
  if (request.method === 'GET') {
    response.setHeader('content-type', 'application/json');
    response.end(
      JSON.stringify({ object: 'list', data: [{ id: 'bench', object: 'model', owned_by: 'bench' }] }),
    );
    return;
  }
  const pieces: Buffer[] = [];
  request.on('data', (piece: Buffer) => pieces.push(piece));
  request.on('end', () => answer(Buffer.concat(pieces).toString('latin1'), response));
});
server.listen(0, '127.0.0.1', () => {
  const address = server.address();
  const port = typeof address === 'object' ? address?.port : null;
  console.log(JSON.stringify({ msg: 'listening', port }));
});
