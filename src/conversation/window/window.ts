/**
 * Chooses what the model reads.
 *
 * WINDOW-1  The current question is always in: last, and whole unless it alone is too long; then its middle is visibly
 *           cut.
 * WINDOW-2  A prompt has a turn whole or not at all, in the order of the conversation; user and assistant alternate.
 * WINDOW-3  The prompt is within the budget, by a count of the whole prompt as it is sent.
 * WINDOW-4  The report names every turn exactly once: in, summarised, or out.
 *
 * Read next: essentials.ts (what every prompt holds), rank.ts (which turns fill the rest).
 */
import type { Message } from '../../generation/port.ts';
import { cutToFit } from '../cut.ts';
import type { Summary, SummaryCall } from '../port.ts';
import type { TokenCounter } from '../tokens/token-counter.ts';
import { dueSummary } from './due-summary.ts';
import { type Essentials, type EssentialsInput, fitEssentials } from './essentials.ts';
import { fill, likely, rank, type Tier } from './rank.ts';
import type { Strategy } from './strategy.ts';
import { messagesOf, ownMessages, type PastTurn } from './turns.ts';

export interface WindowInput extends EssentialsInput {
  readonly strategy: Strategy;
  readonly currentId: string;
  readonly summary: Summary | null;
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
  const { strategy, turns, budgetTokens, counter } = input;
  const { past } = turns;
  // After a rollback of its last turn a summary describes a turn that no longer exists: the window ignores it.
  const covered =
    strategy.summarise && input.summary !== null
      ? past.findIndex((turn) => turn.id === input.summary?.through) + 1
      : 0;
  const summary = covered > 0 ? (input.summary?.content ?? null) : null;

  const tiers = rank(strategy, past, covered);
  const [essentials, costs] = await Promise.all([
    fitEssentials(input, summary),
    costsOf(likely(tiers, budgetTokens), counter),
  ]);
  const { chosen, messages, promptTokens } = await settle(input, essentials, tiers, costs);

  const isSummarised = (turn: PastTurn, index: number): boolean =>
    essentials.hasSummary && index < covered && !chosen.has(turn);
  return {
    messages,
    promptTokens,
    turnsIn: [...past.filter((turn) => chosen.has(turn)).map(({ id }) => id), input.currentId],
    turnsSummarised: past.filter(isSummarised).map(({ id }) => id),
    turnsOut: [
      ...turns.withoutQuestion,
      ...past.filter((turn, index) => !chosen.has(turn) && !isSummarised(turn, index)).map(({ id }) => id),
    ],
    toSummarise: strategy.summarise
      ? dueSummary({
          uncovered: past.slice(covered),
          chosen,
          costs,
          // Pinned turns that a summary covers stay; the other turns share the rest of the room.
          roomTokens: essentials.roomTokens - costIn(past.slice(0, covered), chosen, costs),
          turnsMax: strategy.turnsMax,
          earlier: summary,
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

/** A chat template may add more to the whole than to its parts, so the whole is counted; a few rounds are enough. */
const ROUNDS_MAX = 12;

async function settle(
  { turns, budgetTokens, counter }: WindowInput,
  essentials: Essentials,
  tiers: readonly Tier[],
  costs: ReadonlyMap<PastTurn, number>,
): Promise<Settled> {
  let { question, system, roomTokens } = essentials;
  for (let round = 1; ; round += 1) {
    const chosen = fill(tiers, costs, roomTokens);
    const past = turns.past.filter((turn) => chosen.has(turn));
    const systemText = system([...past.map((turn) => turn.question), question]);
    const messages = messagesOf(systemText, past, question);
    const promptTokens = await counter.whole(messages);
    const excess = promptTokens - budgetTokens;
    if (excess <= 0 || round === ROUNDS_MAX) return { chosen, messages, promptTokens }; // WINDOW-3
    if (chosen.size > 0) {
      // After half of the rounds, the costs of the parts are no guide: drop all past turns.
      roomTokens = round < ROUNDS_MAX / 2 ? costIn(past, chosen, costs) - excess : 0;
      continue;
    }
    const shorter = await cutBy(question, 'user', excess, counter);
    if (shorter === question && systemText !== null) {
      const cut = await cutBy(systemText, 'system', excess, counter);
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
  const messages = turns.flatMap((turn) => ownMessages(turn).map((message) => ({ turn, message })));
  const costs = await counter.costs(messages.map(({ message }) => message));
  const costOf = new Map<PastTurn, number>();
  for (const [at, { turn }] of messages.entries())
    costOf.set(turn, (costOf.get(turn) ?? 0) + (costs[at] ?? 0));
  return costOf;
}
