/**
 * SummaryRun asks the model in the background to summarise the turns that fell out of the window, one call at a time.
 * A lost summary costs nothing: the next turn finds the same turns without a summary and asks again.
 */
import type { BuiltPrompt } from '../../conversation/port.ts';
import { boundSummary, SUMMARY_MAX_TOKENS } from '../../conversation/summary.ts';
import type { Generator } from '../../generation/port.ts';
import { costOf } from './cost.ts';

export class SummaryRun {
  readonly #generator: Generator;
  readonly #sessionId: string;
  readonly #onSummary: (through: string, content: string) => void;
  readonly #spent: (tokens: number) => void;
  #abort: AbortController | null = null;

  constructor(
    generator: Generator,
    sessionId: string,
    onSummary: (through: string, content: string) => void,
    spent: (tokens: number) => void,
  ) {
    this.#generator = generator;
    this.#sessionId = sessionId;
    this.#onSummary = onSummary;
    this.#spent = spent;
  }

  start(wanted: BuiltPrompt['toSummarise']): void {
    if (wanted === null || this.#abort !== null) return;
    const abort = new AbortController();
    this.#abort = abort;
    let content = '';
    this.#generator
      .generate(
        {
          sessionId: this.#sessionId,
          turnId: `${wanted.through}-summary`,
          attempt: 1,
          messages: wanted.messages,
          prefix: null,
          options: { maxTokens: SUMMARY_MAX_TOKENS, temperature: 0 },
        },
        (chunk) => {
          content += chunk.text;
        },
        abort.signal,
      )
      .then((result) => {
        this.#spent(costOf(result, 0, 0));
        if (abort.signal.aborted) return;
        this.#abort = null;
        if (result.kind === 'completed' && content.trim() !== '')
          this.#onSummary(wanted.through, boundSummary(content));
      })
      .catch(() => {
        this.#abort = null;
      });
  }

  stop(): void {
    this.#abort?.abort();
    this.#abort = null;
  }
}
