/** The examples of the general door in the OpenAPI document: one conversation, in the order of these requests. A test sends them. */
import type { Example } from '../core/router.ts';

const sessionId = '3478bfa5-c608-4fc6-9ee7-2826fdd76284';
/** An id of a turn follows from the ids of its session and its message. */
const turnId = 'fb2e2b6c-3754-82da-8e92-4c5401650694';
const laterTurnId = '52476b5a-2aa6-8470-9eb5-b1f9dccc3a2d';
const againTurnId = 'c647f087-e549-8204-8535-ab8c5b6ba7b4';
const forkId = '50ada478-a3f7-81e1-9551-a990031b8c76';
const epoch = 1_795_944_640_676;
const createdAt = 1_795_944_640_675;
const ends = { expires_at: 1_795_948_240_675, absolute_expires_at: 1_795_959_040_675 };
const params = { id: sessionId };

const json = (value: unknown) => ({ 'application/json': value });

interface ExampleFrame {
  readonly type: string;
  readonly offset: number;
}

const events = (frames: readonly ExampleFrame[]): string =>
  frames
    .map((frame) => {
      const id = frame.type === 'welcome' ? '' : `id: ${frame.offset}\n`;
      return `${id}event: ${frame.type}\ndata: ${JSON.stringify(frame)}\n\n`;
    })
    .join('');

const outcome = {
  finish_reason: 'stop',
  usage: { prompt_tokens: 8, completion_tokens: 9 },
  metadata: {
    inference_time_ms: 851,
    time_to_first_token_ms: 32,
    model: 'rehydra/simulator',
    temperature: 0.7,
    max_tokens: 2_048,
    conversation_count: 1,
    replica: '127.0.0.1:8000',
    resumed: 0,
    simulated: true,
    completed_at: 1_795_944_642_226,
    window: {},
  },
};
const turn = { turn_id: turnId, message_id: 'm-1' };
const frame = (type: string, offset: number, fields: object) => ({ type, offset, epoch, ...fields });
const turnFrames: readonly ExampleFrame[] = [
  frame('turn.started', 5, { ...turn, queued: 0, content: 'My knee hurts.' }),
  frame('delta', 6, { turn_id: turnId, text: 'You said: My knee hurts.', simulated: true }),
  frame('turn.completed', 7, { ...turn, ...outcome }),
];

export const createExample: Example = {
  body: { id: sessionId, client_id: 'clinic', patient: { age: 61 } },
  answers: {
    201: json({
      session_id: sessionId,
      client_id: 'clinic',
      user_id: null,
      diagnosis_id: null,
      created_at: createdAt,
      connected_at: createdAt,
      last_activity_at: createdAt,
      state: 'idle',
      offset: 2,
      conversation_count: 0,
      ...ends,
      is_active: true,
    }),
  },
};

export const messageExample: Example = {
  params,
  body: { id: 'm-1', content: 'My knee hurts.' },
  answers: {
    200: {
      'application/json': {
        session_id: sessionId,
        ...turn,
        content: 'You said: My knee hurts.',
        ...outcome,
        offset: 7,
      },
      'text/event-stream': events(turnFrames),
    },
  },
};

export const eventsExample: Example = {
  params,
  query: { after: 4 },
  answers: {
    200: {
      'text/event-stream': events([
        {
          type: 'welcome',
          ...{ session_id: sessionId, resumed: true, state: 'connected', offset: 10, epoch },
          ...{ created_at: createdAt, ...ends, instance: 'd662c0021fab' },
        },
        ...turnFrames,
        frame('state', 8, { value: 'connected', version: 5 }),
        frame('state', 9, { value: 'idle', version: 6 }),
        frame('state', 10, { value: 'connected', version: 7 }),
      ]),
    },
  },
};

export const cancelExample: Example = {
  params,
  body: { turn_id: laterTurnId },
  answers: { 200: json({ session_id: sessionId, turn_id: laterTurnId, state: 'cancelled' }) },
};

const again = { turn_id: againTurnId, message_id: 'again-1' };
export const regenerateExample: Example = {
  params,
  body: { id: 'again-1', turn_id: laterTurnId, content: 'And when I walk?' },
  answers: {
    200: {
      'application/json': {
        session_id: sessionId,
        ...again,
        content: 'You said: And when I walk?',
        ...outcome,
        offset: 20,
      },
      'text/event-stream': events([
        frame('turn.started', 18, { ...again, queued: 0, content: 'And when I walk?' }),
        frame('delta', 19, { turn_id: againTurnId, text: 'You said: And when I walk?', simulated: true }),
        frame('turn.completed', 20, { ...again, ...outcome }),
      ]),
    },
  },
};

export const forkExample: Example = {
  params,
  body: { id: 'copy-1', after: turnId },
  answers: { 201: json({ session_id: forkId, origin: { session_id: sessionId, turn_id: turnId } }) },
};

export const extendExample: Example = {
  params,
  body: {},
  answers: { 200: json({ session_id: sessionId, ...ends }) },
};
