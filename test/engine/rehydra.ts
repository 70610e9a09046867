/** Starts one instance in front of the server under test, and clients that ask it at temperature 0. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TurnView } from '../../src/client/assembler.ts';
import type { Frame } from '../support/instance/client.ts';
import { type Environment, type Instance, startInstance } from '../support/instance/instance.ts';
import { freePort } from '../support/instance/processes.ts';
import { ReconnectingClient, type SentMessage } from '../support/instance/reconnecting-client.ts';
import { PATIENCE } from './listening.ts';

export interface Rehydra {
  readonly http: string;
  connect(): Promise<ReconnectingClient>;
  /** SIGKILL, then a new process with the same port and the same data. */
  killAndRestart(): Promise<void>;
  stop(): Promise<void>;
}

export async function startRehydra(urls: readonly string[], settings: Environment = {}): Promise<Rehydra> {
  const folder = await mkdtemp(join(tmpdir(), 'rehydra-engine-'));
  const environment = {
    PORT: `${await freePort()}`,
    DATA_DIR: folder,
    VLLM_BASE_URL: urls.join(','),
    GENERATION_FIRST_TOKEN_MS: `${PATIENCE.firstTokenMs}`,
    GENERATION_INTER_TOKEN_MS: `${PATIENCE.interTokenMs}`,
    GENERATION_TOTAL_MS: `${PATIENCE.totalMs}`,
    ...settings,
  };
  let instance: Instance = await startInstance(environment);
  const { url, http } = instance;
  return {
    http,
    async connect() {
      const client = new ReconnectingClient({ urls: [url] });
      await client.welcomed();
      return client;
    },
    async killAndRestart() {
      instance.kill('SIGKILL');
      await instance.exited;
      instance = await startInstance(environment);
    },
    async stop() {
      await instance.stop();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

let questions = 0;

export function ask(client: ReconnectingClient, content: string, maxTokens: number): SentMessage {
  questions += 1;
  const id = `question-${questions}`;
  client.session.send(content, { id, options: { max_tokens: maxTokens, temperature: 0 } });
  return { id, content };
}

const WAIT_MS = 400_000;

export const answered = (client: ReconnectingClient, sent: SentMessage): Promise<TurnView> =>
  client.answered(sent, WAIT_MS);

/** Waits until the client has shown so many characters of the answer. */
export function shown(client: ReconnectingClient, sent: SentMessage, characters: number): Promise<void> {
  const enough = (): boolean => (client.turnOf(sent)?.text ?? '').length >= characters;
  return client.until(enough, `${characters} characters of ${sent.id}`, WAIT_MS);
}

export function completionTokens(client: ReconnectingClient, sent: SentMessage): number {
  return completedFrame(client, sent)?.usage.completion_tokens ?? 0;
}

/** How often the turn continued from its stored text. */
export function resumed(client: ReconnectingClient, sent: SentMessage): number {
  return completedFrame(client, sent)?.metadata.resumed ?? 0;
}

export function completedFrame(
  client: ReconnectingClient,
  sent: SentMessage,
): Frame<'turn.completed'> | undefined {
  return client.frames.find(
    (frame): frame is Frame<'turn.completed'> =>
      frame.type === 'turn.completed' && frame.message_id === sent.id,
  );
}
