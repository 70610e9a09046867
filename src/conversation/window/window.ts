/**
 * Chooses what the model reads.
 *
 *  W1  The current question is always in: last, and whole unless it alone is too long; then its middle is cut, visibly.
 *  W2  A turn is in whole or out, in the order it was said, and user and assistant alternate.
 *  W3  The prompt is within the budget, by a count of the whole of it as it is sent.
 *  W4  Every turn is told in the report exactly once: in, summarised, or out.
 *
 * Read next: rank.ts (who has a claim), fill.ts (who gets in), frame.ts (what is in anyway).
 */
import type { Message } from '../../generation/port.ts';
import type { PatientPicture } from '../patient/patient.ts';
import type { Summary } from '../port.ts';
import type { SummaryCall } from '../summary.ts';
import type { TokenCounter } from '../tokens/token-counter.ts';
import { cutToFit } from './cut.ts';
import { fill, likely } from './fill.ts';
import { type Frame, fitFrame } from './frame.ts';
import { dueSummary } from './overflow.ts';
import { rank, type Tier } from './rank.ts';
import type { Strategy } from './strategy.ts';
import { messagesOf, ownMessages, type PastTurn, type Told } from './turns.ts';

export interface WindowInput {
  readonly strategy: Strategy;
  readonly prompt: string | null;
  readonly picture: PatientPicture;
  readonly told: Told;
  readonly currentId: string;
  readonly summary: Summary | null;
  readonly budgetTokens: number;
  readonly counter: TokenCounter;
}

export interface Window {
  readonly messages: readonly Message[];
  readonly promptTokens: number;
  readonly turnsIn: readonly string[];
  readonly turnsOut: readonly string[];
  readonly turnsSummarised: readonly string[];
  readonly toSummarise: SummaryCall | null;
}

export async function chooseWindow(input: WindowInput): Promise<Window> {
  const { strategy, told, budgetTokens, counter } = input;
  const { past } = told;
  // A summary whose last turn was rolled back tells what never happened: without that turn it is not used.
  const covered =
    strategy.summarise && input.summary !== null
      ? past.findIndex((turn) => turn.id === input.summary?.through) + 1
      : 0;
  const summary = covered > 0 ? input.summary : null;

  const tiers = rank(strategy, past, covered);
  const [frame, costs] = await Promise.all([
    fitFrame({
      prompt: input.prompt,
      picture: input.picture,
      summary: summary?.content ?? null,
      question: told.question,
      budgetTokens,
      counter,
    }),
    costsOf(likely(tiers, budgetTokens), counter),
  ]);
  const { chosen, messages, promptTokens } = await settle(input, frame, tiers, costs);

  const isSummarised = (turn: PastTurn, index: number): boolean =>
    frame.summaryTold && index < covered && !chosen.has(turn);
  return {
    messages,
    promptTokens,
    turnsIn: [...past.filter((turn) => chosen.has(turn)).map(({ id }) => id), input.currentId],
    turnsSummarised: past.filter(isSummarised).map(({ id }) => id),
    turnsOut: [
      ...told.headless,
      ...past.filter((turn, index) => !chosen.has(turn) && !isSummarised(turn, index)).map(({ id }) => id),
    ],
    toSummarise: strategy.summarise
      ? dueSummary({
          uncovered: past.slice(covered),
          chosen,
          costs,
          // Pinned turns that are covered already stay; the room of the others is what they leave.
          roomTokens: frame.roomTokens - costIn(past.slice(0, covered), chosen, costs),
          turnsMax: strategy.turnsMax,
          earlier: summary?.content ?? null,
          budgetTokens,
        })
      : null,
  };
}

function costIn(
  turns: readonly PastTurn[],
  chosen: ReadonlySet<PastTurn>,
  costs: ReadonlyMap<PastTurn, number>,
): number {
  return turns.reduce((sum, turn) => sum + (chosen.has(turn) ? (costs.get(turn) ?? 0) : 0), 0);
}

interface Settled {
  readonly chosen: ReadonlySet<PastTurn>;
  readonly messages: readonly Message[];
  readonly promptTokens: number;
}

/** A chat template may do more with the whole than with its parts, so the whole is counted; a few rounds are enough. */
const ROUNDS_MAX = 12;

async function settle(
  { told, budgetTokens, counter }: WindowInput,
  frame: Frame,
  tiers: readonly Tier[],
  costs: ReadonlyMap<PastTurn, number>,
): Promise<Settled> {
  let { question, system, roomTokens } = frame;
  for (let round = 1; ; round += 1) {
    const chosen = fill(tiers, costs, roomTokens);
    const turns = told.past.filter((turn) => chosen.has(turn));
    const said = [...turns.map((turn) => turn.question), question];
    const messages = messagesOf(system(said), turns, question);
    const promptTokens = await counter.whole(messages);
    const excess = promptTokens - budgetTokens;
    if (excess <= 0 || round === ROUNDS_MAX) return { chosen, messages, promptTokens }; // W3
    if (chosen.size > 0) {
      const used = costIn(turns, chosen, costs);
      // Half-way, no more chances are taken with what the parts still hide.
      roomTokens = round < ROUNDS_MAX / 2 ? used - excess : 0;
      continue;
    }
    const shorter = await cutBy(question, 'user', excess, counter);
    if (shorter === question) {
      const text = system(said);
      const cut = text === null ? null : await cutBy(text, 'system', excess, counter);
      system = () => cut;
    }
    question = shorter;
  }
}

async function cutBy(
  text: string,
  role: Message['role'],
  excess: number,
  counter: TokenCounter,
): Promise<string> {
  const [cost = 0] = await counter.costs([{ role, content: text }]);
  const cut = await cutToFit(text, role, cost - excess, counter);
  return cut.length < text.length ? cut : text;
}

async function costsOf(
  turns: readonly PastTurn[],
  counter: TokenCounter,
): Promise<ReadonlyMap<PastTurn, number>> {
  const costs = await counter.costs(turns.flatMap(ownMessages));
  let at = 0;
  return new Map(
    turns.map((turn) => {
      const own = ownMessages(turn).length;
      const cost = costs.slice(at, at + own).reduce((sum, each) => sum + each, 0);
      at += own;
      return [turn, cost];
    }),
  );
}
