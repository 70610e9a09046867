/**
 * Fits what every prompt holds: the system message and the current question. If they are too long, they shrink in
 * this order: the summary goes, the patient block is cut, a huge system prompt is cut, the question is cut.
 */
import { cutToFit } from '../cut.ts';
import type { PatientPicture } from '../patient/patient.ts';
import { formatPatient } from '../patient/patient-text.ts';
import { summaryBlock } from '../summary.ts';
import type { TokenCounter } from '../tokens/token-counter.ts';
import type { TranscriptTurns } from './turns.ts';

export interface EssentialsInput {
  /** null: this session has no system prompt. */
  readonly prompt: string | null;
  readonly picture: PatientPicture;
  readonly turns: TranscriptTurns;
  readonly budgetTokens: number;
  readonly counter: TokenCounter;
}

export interface Essentials {
  /** The system message beside these questions; null: there is none. */
  system(questions: readonly string[]): string | null;
  readonly question: string;
  readonly hasSummary: boolean;
  /** What is left for past turns. */
  readonly roomTokens: number;
}

/** The question gets this share of the budget if it needs it, however much is known of the patient. */
const QUESTION_SHARE = 0.4;

export async function fitEssentials(input: EssentialsInput, summary: string | null): Promise<Essentials> {
  const { counter, budgetTokens } = input;
  const overhead = await counter.overhead();
  const cost = async (role: 'system' | 'user', content: string | null): Promise<number> =>
    content === null ? 0 : ((await counter.costs([{ role, content }]))[0] ?? 0);

  const whole = input.turns.question;
  const asked = await cost('user', whole);
  const allowed = budgetTokens - overhead - Math.min(asked, budgetTokens * QUESTION_SHARE);
  const fitted = await fitSystem(input, summary, allowed, (text) => cost('system', text));
  const { system, hasSummary } = fitted;
  const left = budgetTokens - overhead - fitted.tokens;
  const question = asked <= left ? whole : await cutToFit(whole, 'user', left, counter);
  const questionTokens = question === whole ? asked : await cost('user', question);
  return { system, question, hasSummary, roomTokens: left - questionTokens };
}

interface SystemPart extends Pick<Essentials, 'system' | 'hasSummary'> {
  /** The cost beside no question, where the patient block is longest. */
  readonly tokens: number;
}

async function fitSystem(
  { prompt, picture, counter }: EssentialsInput,
  summary: string | null,
  allowed: number,
  cost: (text: string | null) => Promise<number>,
): Promise<SystemPart> {
  const systemWith =
    (block: string | null): Essentials['system'] =>
    (questions) =>
      joined(prompt, formatPatient(picture, questions), block);
  if (summary !== null) {
    const system = systemWith(summaryBlock(summary));
    const tokens = await cost(system([]));
    if (tokens <= allowed) return { system, hasSummary: true, tokens };
  }
  const system = systemWith(null);
  const text = system([]);
  const tokens = await cost(text);
  if (text === null || tokens <= allowed) return { system, hasSummary: false, tokens };
  const promptCost = await cost(prompt);
  const cut =
    promptCost <= allowed / 2
      ? joined(prompt, await cutToFit(formatPatient(picture), 'system', allowed - promptCost, counter))
      : await cutToFit(text, 'system', allowed, counter);
  return { system: () => cut, hasSummary: false, tokens: await cost(cut) };
}

function joined(...blocks: readonly (string | null)[]): string | null {
  const text = blocks.filter((block) => block !== null && block !== '').join('\n\n');
  return text === '' ? null : text;
}
