/** Collects a generator's chunks for the conformance suites, and the prefix that a session would store of them. */
import type {
  GenerationChunk,
  GenerationPrefix,
  GenerationRequest,
  GenerationResult,
  Generator,
  Message,
} from '../../src/generation/port.ts';
import type { Simulator } from '../../src/simulator/simulator.ts';

export interface Target {
  readonly url: string;
  readonly apiKey?: string;
  /** Present if the test can cause faults and watch the upstream side. */
  readonly simulator?: Simulator;
}

export const PATIENT: readonly Message[] = [
  { role: 'system', content: 'You are a careful nurse.' },
  { role: 'user', content: 'I have chest pain – and diabetes ✓.' },
];

export interface Heard {
  readonly turnId: string;
  readonly result: GenerationResult;
  readonly chunks: readonly GenerationChunk[];
  readonly text: string;
  readonly lateChunks: () => number;
}

export interface Asked {
  readonly messages?: readonly Message[];
  readonly fault?: string;
  readonly prefix?: GenerationPrefix;
  /** null: the client chooses nothing. */
  readonly options?: GenerationRequest['options'] | null;
  readonly signal?: AbortSignal;
  readonly onChunk?: (chunk: GenerationChunk) => void;
}

let turns = 0;

export async function hear(generator: Generator, asked: Asked = {}): Promise<Heard> {
  const chunks: GenerationChunk[] = [];
  let settled = false;
  let late = 0;
  turns += 1;
  const request: GenerationRequest = {
    sessionId: 'session-1',
    turnId: `turn-${turns}`,
    attempt: 1,
    messages: faulty(asked.messages ?? PATIENT, asked.fault),
    prefix: asked.prefix ?? null,
    options: asked.options === null ? {} : { temperature: 0, maxTokens: 200, ...asked.options },
  };
  const listen = (chunk: GenerationChunk): void => {
    if (settled || asked.signal?.aborted === true) late += 1;
    chunks.push(chunk);
    asked.onChunk?.(chunk);
  };
  const result = await generator.generate(request, listen, asked.signal ?? new AbortController().signal);
  settled = true;
  return {
    turnId: request.turnId,
    result,
    chunks,
    text: chunks.map((chunk) => chunk.text).join(''),
    lateChunks: () => late,
  };
}

export function faulty(messages: readonly Message[], fault: string | undefined): readonly Message[] {
  const last = messages.at(-1);
  if (fault === undefined || last === undefined) return messages;
  return [...messages.slice(0, -1), { ...last, content: `${last.content} [[fault:${fault}]]` }];
}

/** The same answer without a stream and without the client under test. */
export async function wholeText(target: Target, messages: readonly Message[], model = ''): Promise<string> {
  const response = await fetch(`${target.url}/chat/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${target.apiKey ?? ''}` },
    body: JSON.stringify({ model, messages, temperature: 0, max_tokens: 200 }),
  });
  const whole = (await response.json()) as { choices: [{ message: { content: string } }] };
  return whole.choices[0].message.content;
}

/** The stored prefix after the first `count` chunks. */
export function storedAfter(chunks: readonly GenerationChunk[], count: number): GenerationPrefix {
  const heard = chunks.slice(0, count);
  const isWhole = heard.every((chunk) => chunk.tokenIds !== undefined);
  return {
    text: heard.map((chunk) => chunk.text).join(''),
    tokenIds: isWhole ? heard.flatMap((chunk) => chunk.tokenIds ?? []) : null,
    promptTokenIds: heard.find((chunk) => chunk.promptTokenIds !== undefined)?.promptTokenIds ?? null,
  };
}

export const withoutIds = (prefix: GenerationPrefix): GenerationPrefix => ({
  ...prefix,
  tokenIds: null,
  promptTokenIds: null,
});
