/**
 * Runs the generation that the stored state asks for, and gathers its text until the actor stores it.
 *
 *  U1  The generation that runs is the one named by the stored jobs, or none: `reconcile` is called after a commit.
 *  U2  Text waits here until `confirm`; nobody has seen it before.
 *  U3  After `stop` no chunk, no result and no summary reaches the actor.
 *  U4  The model is asked only while the lease is sure: a turn waits until it is confirmed, a summary is left out.
 */
import type { Question, SessionContext, Turn } from '../../../machines/vocabulary.ts';
import type { BuiltPrompt } from '../../conversation/port.ts';
import type { GenerationChunk } from '../../generation/port.ts';
import type { ActorHost } from '../actor/actor-host.ts';
import type { MachineState } from '../machine/step.ts';
import { FlushTimer } from './flush-timer.ts';
import { type GenerationRun, type RunResult, startGeneration } from './generation.ts';
import { SummaryRun } from './summary.ts';
import type { Transcript } from './transcript.ts';
import { type PendingText, TurnText } from './turn-text.ts';

export interface TurnRunnerPorts {
  readonly sessionId: string;
  readonly transcript: Transcript;
  readonly context: () => SessionContext;
  readonly isLeaseSure: () => boolean;
  /** Resolves once the lease is sure, or the session is somebody else's and `stop` was called. */
  readonly confirmLease: () => Promise<void>;
  /** Text waits and is due to be stored. */
  readonly wake: () => void;
  readonly onResult: (key: string, result: RunResult) => void;
  readonly onSummary: (through: string, content: string) => void;
}

export class TurnRunner {
  readonly #host: ActorHost;
  readonly #ports: TurnRunnerPorts;
  readonly #pacer: FlushTimer;
  readonly #summary: SummaryRun;
  #text: TurnText | null;
  #run: GenerationRun | null = null;

  /** `text`: what is stored of the running turn, where there is one. */
  constructor(host: ActorHost, ports: TurnRunnerPorts, text: TurnText | null) {
    this.#host = host;
    this.#ports = ports;
    this.#text = text;
    this.#pacer = new FlushTimer(host.clock, host.flushMs, host.flushLength, ports.wake);
    this.#summary = new SummaryRun(host.generator, ports.sessionId, ports.onSummary);
  }

  get text(): TurnText | null {
    return this.#text;
  }

  get isFlushDue(): boolean {
    return this.#pacer.isDue(this.#pendingLength);
  }

  /** What waits to be stored, or null. */
  take(): PendingText | null {
    if (this.#text === null || this.#pendingLength === 0) return null;
    this.#pacer.flushed();
    return this.#text.pending();
  }

  /** Makes sure that waiting text is looked at when it is due. */
  schedule(): void {
    this.#pacer.schedule(this.#pendingLength);
  }

  reconcile(resting: MachineState): void {
    const wanted = resting.jobs.generation?.key;
    if (this.#run?.key === wanted) return;
    this.stopGeneration();
    const { turn, lastReplica } = resting.snapshot.context;
    if (turn === null) this.#text = null;
    if (wanted === undefined || turn === null) return;
    const text = this.#textOf(turn);
    if (text.incomplete) {
      const error = { code: 'interrupted', retryable: false, replica: null };
      return this.#ports.onResult(wanted, { kind: 'failed', error });
    }
    this.#run = startGeneration(
      wanted,
      {
        sessionId: this.#ports.sessionId,
        turn,
        lastReplica,
        prefix: text.prefix(),
        buildPrompt: (shrink, contextLimit) => this.#buildPrompt(turn, shrink, contextLimit),
        question: () => this.#question(turn),
        confirmLease: this.#ports.confirmLease,
      },
      this.#host.generator,
      (chunk) => this.#onChunk(text, chunk),
      (result) => this.#ports.onResult(wanted, result),
    );
  }

  summarise(wanted: BuiltPrompt['toSummarise']): void {
    if (this.#ports.isLeaseSure()) this.#summary.start(wanted);
  }

  stopGeneration(): void {
    this.#run?.stop();
    this.#run = null;
  }

  stop(): void {
    this.stopGeneration();
    this.#summary.stop();
    this.#pacer.stop();
  }

  /** The text of the turn as it runs now: an answer that starts over begins with none. */
  #textOf({ id, restarts = 0 }: Turn): TurnText {
    const known = this.#text;
    if (known !== null && known.turnId === id && known.restarts === restarts) return known;
    const text = new TurnText(id, restarts);
    this.#text = text;
    return text;
  }

  async #question(turn: Turn): Promise<Question> {
    const said = await this.#ports.transcript.read();
    const asked = said.find((entry) => entry.turnId === turn.id && entry.role === 'user');
    return { content: asked?.content ?? '', author: asked?.author ?? null };
  }

  async #buildPrompt(turn: Turn, shrink: number, contextLimit: number | null): Promise<BuiltPrompt> {
    const said = await this.#ports.transcript.read();
    const summary = said.findLast((entry) => entry.role === 'summary');
    return this.#host.conversation.buildPrompt({
      session: this.#ports.context(),
      transcript: said.filter((entry) => entry.role !== 'summary'),
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
    if (this.isFlushDue) this.#ports.wake();
    else this.schedule();
  }
}
