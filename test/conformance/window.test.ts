/** Two hundred turns against a model of 8,192 tokens: no strategy ever exceeds its window. */
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { SessionContext, Turn } from '../../machines/vocabulary.ts';
import {
  mergePatient,
  type PatientPicture,
  patientSchema,
  pictureOf,
} from '../../src/conversation/patient/patient.ts';
import type { BuiltPrompt, PromptBuilder, Summary } from '../../src/conversation/port.ts';
import { createPromptBuilder } from '../../src/conversation/prompt-builder.ts';
import { boundSummary, SUMMARY_MAX_TOKENS } from '../../src/conversation/summary.ts';
import type { GenerationResult, Generator, Message } from '../../src/generation/port.ts';
import { createVllmGenerator } from '../../src/generation/vllm.ts';
import { type Simulator, startSimulator } from '../../src/simulator/simulator.ts';
import type { TranscriptEntry } from '../../src/store/contract.ts';
import { transport } from '../support/transport.ts';

const TURNS = 200;
const MODEL_LEN = 8_192;
const MAX_TOKENS = 600;

let simulator: Simulator;
let generator: Generator;
/** A gateway that lists its model but has no /tokenize. */
let gateway: Server;

beforeAll(async () => {
  const pace = { tokensPerSecond: 0, streamInterval: 8 };
  simulator = await startSimulator({ ...pace, tokens: 150, maxModelLen: MODEL_LEN });
  generator = createVllmGenerator({
    baseUrls: [simulator.url],
    transport,
    timeouts: { firstTokenMs: 10_000, interTokenMs: 10_000, totalMs: 30_000 },
    defaultMaxTokens: MAX_TOKENS,
  });
  gateway = createServer((req, res) => {
    const isList = req.url === '/v1/models';
    res.writeHead(isList ? 200 : 404, { 'content-type': 'application/json' });
    res.end(JSON.stringify(isList ? { data: [{ id: 'rehydra/simulator', max_model_len: MODEL_LEN }] } : {}));
  });
  await new Promise<void>((resolve) => gateway.listen(0, '127.0.0.1', resolve));
});
afterAll(async () => {
  await generator.close();
  await simulator.close();
  await new Promise((resolve) => {
    gateway.close(resolve);
    gateway.closeAllConnections();
  });
});

const QUESTIONS = [
  'The patient has chest pain radiating to the left arm since this morning',
  'The patient is allergic to penicillin and takes aspirin 100 mg daily',
  'Blood pressure is 140/90, heart rate 110 and oxygen saturation 92 %',
  'Can you explain the next step to the family in simple words',
  'The chest pain is worse at night, with shortness of breath and fever',
];

/** Every 25th turn pastes a whole report. */
const questionOf = (index: number): string =>
  index % 25 === 24
    ? `Report ${index}: ${'The patient has fever and cough with shortness of breath. '.repeat(60)}`
    : `${QUESTIONS[index % QUESTIONS.length]}, turn ${index}.`;

async function generate(
  turnId: string,
  messages: readonly Message[],
  maxTokens: number,
): Promise<{ readonly result: GenerationResult; readonly text: string }> {
  let text = '';
  const request = { sessionId: 's', turnId, attempt: 1, messages, prefix: null, options: { maxTokens } };
  const result = await generator.generate(
    request,
    (chunk) => {
      text += chunk.text;
    },
    new AbortController().signal,
  );
  return { result, text };
}

interface Held {
  readonly last: BuiltPrompt;
  readonly tooLong: number;
  readonly givenUp: number;
  readonly summaries: number;
  readonly promptTokens: { readonly reported: number; readonly used: number };
}

/** Acts as a session: builds the prompt, generates, stores; shrinks the prompt once when the model refuses its length. */
async function hold(conversation: PromptBuilder): Promise<Held> {
  const transcript: TranscriptEntry[] = [];
  let patient: PatientPicture = pictureOf(
    patientSchema.parse({ age: '45', gender: 'male', past_medical_history: 'hypertension' }),
  );
  let summary: Summary | null = null;
  let last: BuiltPrompt | null = null;
  let [tooLong, givenUp, summaries] = [0, 0, 0];
  let promptTokens = { reported: 0, used: 0 };
  for (let index = 0; index < TURNS; index += 1) {
    const turnId = `turn-${index}`;
    const question = questionOf(index);
    transcript.push({ role: 'user', turnId, content: question, at: index });
    patient = mergePatient(patient, pictureOf(patientSchema.parse({ chief_complaint: question })));
    const turn: Turn = {
      id: turnId,
      messageIds: [turnId],
      options: {},
      attempt: 1,
      resumed: 0,
      failedReplica: null,
    };
    const session = { sessionId: 's', patient } as unknown as SessionContext;
    for (let shrink = 0; shrink < 2; shrink += 1) {
      last = await conversation.buildPrompt({ session, transcript, summary, turn, shrink });
      const { result, text } = await generate(turnId, last.messages, MAX_TOKENS);
      if (result.kind === 'completed') {
        transcript.push({ role: 'assistant', turnId, content: text, at: index });
        promptTokens = { reported: last.window.prompt_tokens, used: result.usage.prompt_tokens };
        break;
      }
      if (result.kind !== 'failed' || result.code !== 'context_length_exceeded')
        throw new Error(JSON.stringify(result));
      tooLong += 1;
      if (shrink === 1) givenUp += 1;
    }
    const due = last?.toSummarise ?? null;
    if (due !== null) {
      const { result, text } = await generate(`${turnId}-summary`, due.messages, SUMMARY_MAX_TOKENS);
      expect(result.kind).toBe('completed');
      summary = { through: due.through, content: boundSummary(text) };
      summaries += 1;
    }
  }
  if (last === null) throw new Error('no turn was held');
  return { last, tooLong, givenUp, summaries, promptTokens };
}

function print(name: string, { last, summaries }: Held): void {
  const { turns_in, turns_out, turns_summarised, ...rest } = last.window;
  const spans = { in: spanOf(turns_in), out: spanOf(turns_out), summarised: spanOf(turns_summarised) };
  process.stdout.write(`${name}: ${JSON.stringify({ ...rest, ...spans, summaries })}\n`);
}

/** `0 3-5 199 (5)`: 200 ids would hide what matters. */
function spanOf(ids: readonly string[]): string {
  const numbers = ids.map((id) => Number(id.replace('turn-', '')));
  const spans: [number, number][] = [];
  for (const number of numbers) {
    const open = spans.at(-1);
    if (open !== undefined && open[1] === number - 1) open[1] = number;
    else spans.push([number, number]);
  }
  const text = spans.map(([from, to]) => (from === to ? `${from}` : `${from}-${to}`)).join(' ');
  return `${text} (${numbers.length})`.trim();
}

describe(`${TURNS} turns in ${MODEL_LEN} tokens`, () => {
  const strategies = ['window:10', 'budget', 'summary', 'adaptive', 'window:20+budget', 'adaptive+summary'];

  test.each(strategies)('%s never gets a context-length error', { timeout: 300_000 }, async (strategy) => {
    const conversation = createPromptBuilder({
      baseUrls: [simulator.url],
      strategy,
      defaultMaxTokens: MAX_TOKENS,
    });
    const held = await hold(conversation);
    print(strategy, held);
    expect(held.tooLong).toBe(0);
    expect(held.last.window.counted_by).toBe('tokenizer');
    // the report's prompt tokens are the server's own count
    expect(held.promptTokens.used).toBe(held.promptTokens.reported);
    const { turns_in, turns_out, turns_summarised } = held.last.window;
    expect(turns_in.length + turns_out.length + turns_summarised.length).toBe(TURNS);
    if (strategy.includes('summary')) {
      expect(turns_summarised.length).toBeGreaterThan(TURNS / 2);
      // once in a batch of turns, not once a turn
      expect(held.summaries).toBeLessThan(TURNS / 4);
    }
    if (strategy === 'summary') expect(turns_out).toEqual([]);
  });

  test('without /tokenize the estimate keeps every prompt within the window after one shrink at most', {
    timeout: 300_000,
  }, async () => {
    const { port } = gateway.address() as AddressInfo;
    const conversation = createPromptBuilder({
      baseUrls: [`http://127.0.0.1:${port}/v1`],
      strategy: 'budget',
      defaultMaxTokens: MAX_TOKENS,
    });
    const held = await hold(conversation);
    print('budget, estimated', held);
    expect(held.last.window.counted_by).toBe('estimate');
    expect(held.givenUp).toBe(0);
  });
});

describe('the prompt of a turn', () => {
  const promptOf = async (
    options: Partial<Parameters<typeof createPromptBuilder>[0]>,
    patient: PatientPicture = {},
    shrink = 0,
    contextLimit: number | null = null,
  ) => {
    const conversation = createPromptBuilder({
      baseUrls: [simulator.url],
      strategy: 'budget',
      defaultMaxTokens: MAX_TOKENS,
      ...options,
    });
    return await conversation.buildPrompt({
      session: { patient } as unknown as SessionContext,
      transcript: [{ role: 'user', turnId: 't', content: 'hello', at: 0 }],
      summary: null,
      turn: { id: 't', messageIds: ['t'], options: {}, attempt: 1, resumed: 0, failedReplica: null },
      shrink,
      contextLimit,
    });
  };

  test('the operator’s system prompt opens a session without patient data, and no empty patient block follows', async () => {
    const { messages } = await promptOf({ systemPromptPath: 'src/conversation/system-prompt.md' });
    expect(messages.map(({ role }) => role)).toEqual(['system', 'user']);
    expect(messages[0]?.content).not.toContain('Patient:');
  });

  test('the bundled system prompt opens a session with patient data, and the patient block ends it', async () => {
    const { messages } = await promptOf({}, pictureOf(patientSchema.parse({ age: 45 })));
    expect(messages.map(({ role }) => role)).toEqual(['system', 'user']);
    expect(messages[0]?.content).toMatch(/^You assist clinicians.*Patient:\n- Age: 45 years$/s);
  });

  test('a session without patient data gets no bundled system prompt', async () => {
    expect((await promptOf({})).messages).toEqual([{ role: 'user', content: 'hello' }]);
  });

  test('each refusal for length shrinks the prompt’s budget by a quarter', async () => {
    const budgets = await Promise.all(
      [0, 1, 2].map(async (n) => (await promptOf({}, {}, n)).window.budget_tokens),
    );
    const [whole = 0] = budgets;
    expect(whole).toBe(MODEL_LEN - MAX_TOKENS - 64 - 82);
    expect(budgets).toEqual([whole, Math.floor(whole * 0.75), Math.floor(whole * 0.75 ** 2)]);
  });

  test('a window that only a refusal names limits every prompt after it', async () => {
    const rust = await startSimulator({ tokensPerSecond: 0, maxModelLen: 2_048, rustFrontEnd: true });
    const asking = createVllmGenerator({
      baseUrls: [rust.url],
      transport,
      timeouts: { firstTokenMs: 10_000, interTokenMs: 10_000, totalMs: 30_000 },
      defaultMaxTokens: MAX_TOKENS,
    });
    const messages: readonly Message[] = [{ role: 'user', content: 'fever and cough '.repeat(1_000) }];
    const request = { sessionId: 's', turnId: 't', attempt: 1, messages, prefix: null, options: {} };
    const result = await asking.generate(request, () => {}, new AbortController().signal);
    expect(result).toMatchObject({ code: 'context_length_exceeded', contextLimit: 2_048 });
    const unknown = await promptOf({ baseUrls: [rust.url] });
    expect(unknown.window.budget_tokens).toBeGreaterThan(2_048);
    const limited = await promptOf({ baseUrls: [rust.url] }, {}, 1, 2_048);
    expect(limited.window.budget_tokens).toBeLessThan(2_048 - MAX_TOKENS);
    await asking.close();
    await rust.close();
  });

  test('HISTORY_MAX_TOKENS, budget:N and the model’s own limit all apply', async () => {
    expect((await promptOf({ historyMaxTokens: 3_000 })).window.budget_tokens).toBe(3_000);
    expect((await promptOf({ historyMaxTokens: 90_000 })).window.budget_tokens).toBeLessThan(MODEL_LEN);
    expect((await promptOf({ strategy: 'budget:2000' }, {}, 1)).window.budget_tokens).toBe(1_500);
  });

  test('a turn gets its prompt even if no server can be reached', async () => {
    const view = await promptOf({ baseUrls: ['http://127.0.0.1:1/v1'] });
    expect(view.window).toMatchObject({ counted_by: 'estimate', turns_in: ['t'] });
  });
});
