/**
 * The upstream is a model server that costs as little as possible: the simulator needs more time for an answer than the
 * service does. It has only the part of vLLM's API that the service uses, and the question sets its answer
 * (exchanges.ts). It shares a core with the generator and Redis, so it runs on uWebSockets.js: Node's own server would be
 * the limit of 400 streams.
 */
import { loadUws, type Uws } from '../../src/transport/uws.ts';
import { stampedToken } from './token-clock.ts';

/** Only `src/transport` names a type of uWebSockets.js (docs/adr/0001). */
type HttpResponse = Parameters<Parameters<ReturnType<Uws['App']>['post']>[1]>[0];

const PROMPT_IDS = Array.from({ length: 64 }, (_, index) => index);
const MS = 1_000;
const ASKED = /tokens=(\d+) rate=(\d+) (stamped|plain)/g;

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
const [beforeToken = '', afterToken = ''] = chunk({
  index: 0,
  delta: { content: '#' },
  finish_reason: null,
  token_ids: [1],
}).split('#');
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

function answer(body: string, response: HttpResponse, onAbort: (stop: () => void) => void): void {
  const asked = [...body.matchAll(ASKED)].at(-1);
  const tokens = Number(asked?.[1] ?? 1);
  const rate = Number(asked?.[2] ?? 0);
  const word = asked?.[3] === 'plain' ? () => 'word ' : stampedToken;
  const token = () => beforeToken + word() + afterToken;
  response.cork(() => {
    response.writeHeader('content-type', 'text/event-stream; charset=utf-8');
    if (rate > 0) response.write(opening);
    else response.end(opening + token().repeat(tokens) + closing(tokens));
  });
  if (rate === 0) return;
  let sent = 0;
  const timer = setInterval(() => {
    sent += 1;
    if (sent < tokens) return void response.cork(() => response.write(token()));
    clearInterval(timer);
    response.cork(() => response.end(token() + closing(tokens)));
  }, MS / rate);
  onAbort(() => clearInterval(timer));
}

const models = JSON.stringify({
  object: 'list',
  data: [{ id: 'bench', object: 'model', owned_by: 'bench' }],
});
const uws = await loadUws();
uws
  .App()
  .get('/*', (response) => void response.writeHeader('content-type', 'application/json').end(models))
  .post('/*', (response) => {
    let stop: (() => void) | null = null;
    let aborted = false;
    response.onAborted(() => {
      aborted = true;
      stop?.();
    });
    let body = '';
    response.onData((piece, isLast) => {
      body += Buffer.from(piece).toString('latin1');
      if (!isLast || aborted) return;
      answer(body, response, (doStop) => {
        stop = doStop;
      });
    });
  })
  .listen('127.0.0.1', 0, (socket) => {
    if (socket === false) throw new Error('no port to listen on');
    console.log(JSON.stringify({ msg: 'listening', port: uws.us_socket_local_port(socket) }));
  });
