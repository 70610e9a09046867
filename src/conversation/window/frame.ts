/**
 * What is in every prompt: the system message and the current question. Where even they do not fit, this is the
 * order in which they give way: the summary goes, the patient block is cut, a huge prompt is cut, the question is cut.
 */
import type { PatientPicture } from '../patient/patient.ts';
import { formatPatient } from '../patient/patient-text.ts';
import { summaryBlock } from '../summary.ts';
import type { TokenCounter } from '../tokens/token-counter.ts';
import { cutToFit } from './cut.ts';

export interface FrameInput {
  readonly prompt: string | null;
  readonly picture: PatientPicture;
  /** The summary's text, where one is to be told. */
  readonly summary: string | null;
  readonly question: string;
  readonly budgetTokens: number;
  readonly counter: TokenCounter;
}

export interface Frame {
  /** The system message beside these questions; null: there is none. */
  system(said: readonly string[]): string | null;
  readonly question: string;
  readonly summaryTold: boolean;
  /** What is left for turns. */
  readonly roomTokens: number;
}

/** However much is known of the patient, this much of the budget is the question's if it needs it. */
const QUESTION_SHARE = 0.4;

export async function fitFrame(input: FrameInput): Promise<Frame> {
  const { counter, budgetTokens } = input;
  const fixed = await counter.fixed();
  const cost = async (role: 'system' | 'user', content: string | null): Promise<number> =>
    content === null ? 0 : ((await counter.costs([{ role, content }]))[0] ?? 0);

  const asked = await cost('user', input.question);
  const allowed = budgetTokens - fixed - Math.min(asked, budgetTokens * QUESTION_SHARE);
  const { system, summaryTold } = await fitSystem(input, allowed, (text) => cost('system', text));
  const left = budgetTokens - fixed - (await cost('system', system([])));
  const question = asked <= left ? input.question : await cutToFit(input.question, 'user', left, counter);
  return { system, question, summaryTold, roomTokens: left - (await cost('user', question)) };
}

type SystemPart = Pick<Frame, 'system' | 'summaryTold'>;

async function fitSystem(
  { prompt, picture, summary, counter }: FrameInput,
  allowed: number,
  cost: (text: string | null) => Promise<number>,
): Promise<SystemPart> {
  const withSummary = summary === null ? null : summaryBlock(summary);
  const whole: SystemPart = {
    system: (said) => joined(prompt, formatPatient(picture, said), withSummary),
    summaryTold: summary !== null,
  };
  if ((await cost(whole.system([]))) <= allowed) return whole;
  const bare: SystemPart = {
    system: (said) => joined(prompt, formatPatient(picture, said)),
    summaryTold: false,
  };
  const text = bare.system([]);
  if (text === null || (await cost(text)) <= allowed) return bare;
  const promptCost = await cost(prompt);
  const cut =
    promptCost <= allowed / 2
      ? joined(prompt, await cutToFit(formatPatient(picture), 'system', allowed - promptCost, counter))
      : await cutToFit(text, 'system', allowed, counter);
  return { system: () => cut, summaryTold: false };
}

function joined(...blocks: readonly (string | null)[]): string | null {
  const text = blocks.filter((block) => block !== null && block !== '').join('\n\n');
  return text === '' ? null : text;
}
