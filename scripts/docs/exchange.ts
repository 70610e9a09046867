/** The exchange that docs/PROTOCOL.md prints. A test plays it against an instance and compares the frames. */

export type Step =
  | { readonly by: 'client' | 'server'; readonly frame: Readonly<Record<string, unknown>> }
  /** `line` tells a reader what happens to the connection. */
  | { readonly by: 'network'; readonly does: 'connects' | 'drops' | 'server closes'; readonly line: string };

const sessionId = '3478bfa5-c608-4fc6-9ee7-2826fdd76284';
const epoch = 1_795_937_188_690;
const turnId = '9f90c642-3a9e-431a-aca4-6a663269c2ae';
const turn = { turn_id: turnId, message_id: 'm-1' };
const ends = { expires_at: 1_795_940_788_689, absolute_expires_at: 1_795_951_588_689 };
const message = { type: 'message', id: 'm-1', content: 'My knee hurts.' };

const client = (frame: Readonly<Record<string, unknown>>): Step => ({ by: 'client', frame });
const server = (frame: Readonly<Record<string, unknown>>): Step => ({ by: 'server', frame });
const durable = (type: string, offset: number, fields: Readonly<Record<string, unknown>>): Step =>
  server({ type, offset, epoch, ...fields });
const welcome = (resumed: boolean, state: string, offset: number): Step =>
  server({
    type: 'welcome',
    session_id: sessionId,
    resumed,
    state,
    offset,
    epoch,
    created_at: 1_795_937_188_689,
    ...ends,
    instance: 'd662c0021fab',
  });

/** In an answer a server may send any number of `delta` frames; a test counts a row of them as one. */
export const exchange: readonly Step[] = [
  { by: 'network', does: 'connects', line: 'the client connects' },
  client({ type: 'hello', client_id: 'phone' }),
  welcome(false, 'connected', 1),
  client(message),
  durable('state', 2, { value: 'processing', version: 2 }),
  durable('turn.started', 3, { ...turn, queued: 0, content: 'My knee hurts.' }),
  durable('delta', 4, { turn_id: turnId, text: 'You', simulated: true }),
  {
    by: 'network',
    does: 'drops',
    line: 'the connection breaks; the turn goes on; the client connects again',
  },
  client({ type: 'hello', session_id: sessionId, client_id: 'phone', after: 4, epoch }),
  welcome(true, 'processing', 4),
  durable('delta', 5, { turn_id: turnId, text: ' said: My knee hurts.', simulated: true }),
  durable('turn.completed', 6, {
    ...turn,
    finish_reason: 'stop',
    usage: { prompt_tokens: 8, completion_tokens: 9 },
    metadata: {
      inference_time_ms: 851,
      time_to_first_token_ms: 32,
      model: 'rehydra/simulator',
      temperature: 0.7,
      max_tokens: 2048,
      conversation_count: 1,
      replica: '127.0.0.1:8000',
      resumed: 0,
      simulated: true,
      completed_at: 1_795_937_189_565,
      window: {},
    },
  }),
  durable('state', 7, { value: 'connected', version: 5 }),
  client(message),
  server({
    type: 'error',
    code: 'duplicate_message',
    message: 'The session already has a message with this id; its frames are in the log.',
    retryable: false,
    message_id: 'm-1',
  }),
  client({ type: 'message', id: 'm-2', content: 7 }),
  server({
    type: 'error',
    code: 'bad_frame',
    message: 'This protocol has no such frame.',
    retryable: false,
    message_id: 'm-2',
    detail: 'content: Invalid input: expected string, received number',
  }),
  client({ type: 'ping', nonce: 'a' }),
  server({ type: 'pong', nonce: 'a' }),
  client({ type: 'close' }),
  durable('state', 8, { value: 'expired', version: 7 }),
  durable('expired', 9, { reason: 'closed' }),
  {
    by: 'network',
    does: 'server closes',
    line: 'the server closes the connection with 1000, reason `closed`',
  },
];

/** One line a step, with `→` for the client's frames and `←` for the server's. */
export function exchangeText(): string {
  return exchange
    .map((step) =>
      step.by === 'network'
        ? `-- ${step.line.replaceAll('`', '')}`
        : `${step.by === 'client' ? '→' : '←'} ${JSON.stringify(step.frame)}`,
    )
    .join('\n');
}
