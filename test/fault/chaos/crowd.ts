/**
 * Talkers are clients that send a message, wait for the end of the answer, and repeat, whatever happens to their
 * connection. Afterwards the test compares their answers with the simulator.
 */
import { WebSocket } from 'ws';
import type { TurnView } from '../../../src/client/assembler.ts';
import type { ServerFrame } from '../../../src/protocol/server-frames.ts';
import {
  ReconnectingClient,
  type ReconnectingOptions,
  type SentMessage,
} from '../../support/instance/reconnecting-client.ts';
import { inParallel, type Random } from './figures.ts';
import { differences, type Exchange, exchange } from './oracle.ts';

export interface Talker {
  readonly client: ReconnectingClient;
  readonly said: readonly SentMessage[];
  readonly turns: readonly TurnView[];
}

export interface TalkOptions extends ReconnectingOptions {
  readonly random: Random;
  /** Asked before each message. */
  readonly goesOn: (talker: Talker) => boolean;
  /** The longest pause between an answer and the next message. */
  readonly pauseMs: number;
  readonly answerWithinMs?: number;
}

const COMPLAINTS = [
  'chest pain',
  'a headache',
  'dizziness',
  'a rash',
  'shortness of breath',
  'nausea',
  'fever',
];

export interface Talk {
  readonly talker: Talker;
  /** Resolves when the talker has stopped and its last answer has ended. */
  readonly finished: Promise<Talker>;
}

let talks = 0;

/** Talkers on the two instances in turn, each of which may continue on the other; each sends at least one message. */
export function startCrowd(
  count: number,
  urls: readonly string[],
  random: Random,
  goesOn: () => boolean,
): readonly Talk[] {
  return Array.from({ length: count }, (_, index) =>
    talk({
      urls: [urls[index % 2]!, urls[(index + 1) % 2]!],
      random,
      pauseMs: 300,
      goesOn: ({ turns }) => goesOn() || turns.length === 0,
    }),
  );
}

export function talk(options: TalkOptions): Talk {
  talks += 1;
  const name = talks;
  const said: SentMessage[] = [];
  const turns: TurnView[] = [];
  const client = new ReconnectingClient(options);
  const talker = { client, said, turns };
  const converse = async (): Promise<Talker> => {
    await client.welcomed(options.answerWithinMs);
    while (options.goesOn(talker)) {
      const complaint = COMPLAINTS[Math.floor(options.random() * COMPLAINTS.length)];
      const next = client.say(
        `Patient ${name}, message ${said.length + 1}: I have ${complaint} 🩺 since day ${name}.`,
      );
      said.push(next);
      turns.push(await client.answered(next, options.answerWithinMs));
      await new Promise((resume) => setTimeout(resume, options.random() * options.pauseMs));
    }
    return talker;
  };
  return { talker, finished: converse() };
}

/** Describes the turns that did not complete. */
export function lostTurns(talkers: readonly Talker[]): readonly string[] {
  return talkers.flatMap(({ client, turns }) =>
    turns
      .filter(({ outcome }) => outcome.kind !== 'completed' && outcome.kind !== 'past')
      .map((turn) => `${client.session.id} ${turn.messageId}: ${JSON.stringify(turn.outcome)}`),
  );
}

/** Describes the messages that started no turn or more than one, by the log. */
export function wronglyTurned(said: readonly SentMessage[], log: readonly string[]): readonly string[] {
  const started = new Map<string, number>();
  for (const data of log) {
    if (!data.startsWith('{"type":"turn.started"')) continue;
    const { message_id } = JSON.parse(data) as { readonly message_id: string };
    started.set(message_id, (started.get(message_id) ?? 0) + 1);
  }
  return said
    .filter(({ id }) => started.get(id) !== 1)
    .map(({ id }) => `${id}: ${started.get(id) ?? 0} turns`);
}

/** Describes the answers that differ from the simulator's. */
export function wrongTexts(simulatorUrl: string, talkers: readonly Talker[]): Promise<readonly string[]> {
  const conversations = talkers.map(({ said, turns }): readonly Exchange[] =>
    turns.map((turn, index) => exchange(said[index]?.content ?? '', turn)),
  );
  return differences(simulatorUrl, conversations);
}

const AT_A_TIME = 200;

/**
 * Opens many sessions as fast as an instance can: each socket opens one session and disconnects.
 * Resolves once every session is open and every socket is closed.
 */
export async function openAndLeave(urls: readonly string[], ids: readonly string[]): Promise<void> {
  await inParallel(ids, AT_A_TIME, async (sessionId, index) => {
    const url = urls[index % urls.length] ?? '';
    while (!(await openOne(url, sessionId)));
  });
}

function openOne(url: string, sessionId: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = new WebSocket(url);
    let welcomed = false;
    socket.on('open', () => socket.send(JSON.stringify({ type: 'hello', session_id: sessionId })));
    socket.on('message', (data) => {
      const frame = JSON.parse(String(data)) as ServerFrame;
      welcomed ||= frame.type === 'welcome';
      socket.close();
    });
    socket.on('error', () => {});
    socket.on('close', () => resolve(welcomed));
  });
}
