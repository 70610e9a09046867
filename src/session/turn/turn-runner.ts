/**
 * TurnRunner runs the generation that the stored state asks for, and gathers its text until the actor stores it.
 *
 *  RUNNER-1  The generation that runs is the one that the stored jobs name, or none: `reconcile` follows each commit.
 *  RUNNER-2  After `stop` no chunk, no result and no summary reaches the actor.
 *  RUNNER-3  The runner calls the model only while the lease is valid. Otherwise a turn waits for its confirmation, and a
 *            summary is skipped.
 */
import type { Question, SessionContext, Turn } from '../../../machines/vocabulary.ts';
import type { Clock } from '../../clock.ts';
import type { BuiltPrompt, PromptBuilder } from '../../conversation/port.ts';
import type { GenerationChunk, Generator } from '../../generation/port.ts';
import type { Budgets } from '../../limits/budgets.ts';
import { payerOf } from '../../limits/payer.ts';
import type { MachineState } from '../machine/step.ts';
import type { FlushSchedule } from './flush-schedule.ts';
import { FlushTimer } from './flush-timer.ts';
import { type GenerationRun, type RunResult, startGeneration } from './generation.ts';
import { SummaryRun } from './summary.ts';
import type { Transcript } from './transcript.ts';
import { type Piece, TurnText } from './turn-text.ts';

export interface RunnerHost {
  readonly generator: Generator;
  readonly conversation: PromptBuilder;
  readonly clock: Clock;
  readonly flushSchedule: FlushSchedule;
  readonly flushLength: number;
  readonly budgets: Budgets | null;
}

export interface TurnRunnerPorts {
  readonly sessionId: string;
  readonly transcript: Transcript;
  readonly context: () => SessionContext;
  readonly isLeaseValid: () => boolean;
  /** Resolves once the lease is valid, or the session was lost and `stop` was called. */
  readonly confirmLease: () => Promise<void>;
  /** Text waits and is due to be stored. */
  readonly wake: () => void;
  readonly onResult: (key: string, result: RunResult) => void;
  readonly onSummary: (through: string, content: string) => void;
}

export class TurnRunner {
  readonly #host: RunnerHost;
  readonly #ports: TurnRunnerPorts;
  readonly #flushTimer: FlushTimer;
  readonly #summary: SummaryRun;
  #text: TurnText | null;
  #run: GenerationRun | null = null;

  /** `text`: the stored text of the running turn, if one runs. */
  constructor(host: RunnerHost, text: TurnText | null, ports: TurnRunnerPorts) {
    this.#host = host;
    this.#ports = ports;
    this.#text = text;
    this.#flushTimer = new FlushTimer(host.flushSchedule, host.flushLength, ports.wake);
    this.#summary = new SummaryRun(host.generator, ports.sessionId, ports.onSummary, (tokens) =>
      host.budgets?.charge(payerOf(null, ports.context()), tokens),
    );
  }

  get text(): TurnText | null {
    return this.#text;
  }

  get isFlushDue(): boolean {
    return this.#flushTimer.isDue(this.#pendingLength);
  }

  /** The text that waits to be stored, or null. */
  takePiece(): Piece | null {
    if (this.#text === null || this.#pendingLength === 0) return null;
    this.#flushTimer.flushed();
    return this.#text.pending();
  }

  /** Marks the piece from `takePiece` as stored. */
  confirm(piece: Piece | null): void {
    if (piece !== null) this.#text?.confirm(piece);
  }

  /** Sets the timer for text that waits. */
  schedule(): void {
    this.#flushTimer.schedule(this.#pendingLength);
  }

  reconcile({ jobs, snapshot }: MachineState): void {
    const wanted = jobs.generation?.key;
    if (this.#run?.key === wanted) return;
    this.stopGeneration();
    const { turn, lastReplica } = snapshot.context;
    if (turn === null) this.#text = null;
    if (wanted === undefined || turn === null) return;
    const text = this.#textOf(turn);
    if (text.isIncomplete) {
      const error = { code: 'interrupted', retryable: false, replica: null };
      return this.#ports.onResult(wanted, { kind: 'failed', error });
    }
    // A rollback removes the question from the transcript before the cost of its answer is known.
    let author: string | null = null;
    this.#run = startGeneration(
      wanted,
      {
        sessionId: this.#ports.sessionId,
        turn,
        lastReplica,
        prefix: text.prefix(),
        buildPrompt: async (shrink, contextLimit) => {
          const prompt = await this.#buildPrompt(turn, shrink, contextLimit);
          ({ author } = await this.#question(turn));
          return prompt;
        },
        spent: (tokens) => this.#host.budgets?.charge(payerOf(author, this.#ports.context()), tokens),
        question: () => this.#question(turn),
        confirmLease: this.#ports.confirmLease,
      },
      this.#host.generator,
      (chunk) => this.#onChunk(text, chunk),
      (result) => this.#ports.onResult(wanted, result),
    );
  }

  summarise(wanted: BuiltPrompt['toSummarise']): void {
    if (this.#ports.isLeaseValid()) this.#summary.start(wanted);
  }

  stopGeneration(): void {
    this.#run?.stop();
    this.#run = null;
  }

  stop(): void {
    this.stopGeneration();
    this.#summary.stop();
    this.#flushTimer.stop();
  }

  /** The text of the turn as it runs now: an answer that starts over begins with an empty one. */
  #textOf({ id, restarts = 0 }: Turn): TurnText {
    const known = this.#text;
    if (known !== null && known.turnId === id && known.restarts === restarts) return known;
    const text = new TurnText(id, restarts);
    this.#text = text;
    return text;
  }

  async #question(turn: Turn): Promise<Question> {
    const entries = await this.#ports.transcript.read();
    const question = entries.find((entry) => entry.turnId === turn.id && entry.role === 'user');
    return { content: question?.content ?? '', author: question?.author ?? null };
  }

  async #buildPrompt(turn: Turn, shrink: number, contextLimit: number | null): Promise<BuiltPrompt> {
    const entries = await this.#ports.transcript.read();
    const summary = entries.findLast((entry) => entry.role === 'summary');
    return this.#host.conversation.buildPrompt({
      session: this.#ports.context(),
      transcript: entries.filter((entry) => entry.role !== 'summary'),
      summary: summary === undefined ? null : { through: summary.turnId, content: summary.content },
      turn,
      shrink,
      contextLimit,
    });
  }

  get #pendingLength(): number {
    return this.#text?.pendingLength ?? 0;
  }

  #onChunk(text: TurnText, chunk: GenerationChunk): void {
    text.add(chunk);
    this.schedule();
  }
}
