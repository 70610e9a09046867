/**
 * SimGenerator is the model of the simulation. Its answer is a function of the conversation, so a continuation from
 * any prefix has exactly one right rest. The scheduler decides the pace.
 *
 *  MODEL-1  Two generations of one turn never run on one instance at the same time, and each follows from a stored
 *           transition (G2). On two instances they may overlap: a frozen owner does not know that it lost. It starts
 *           none after it resumes, unless a failover lost the claim of the other instance.
 *  MODEL-2  All generations of a turn get the same conversation, and a prefix of its answer (G7).
 *  MODEL-3  It sends nothing after its signal has fired (GENERATOR-1).
 *  MODEL-4  Some answers cannot be continued: there the model starts over.
 */
import { crc32 } from 'node:zlib';
import type {
  GenerationRequest,
  GenerationResult,
  Generator,
  Message,
} from '../../../src/generation/port.ts';
import type { Fault } from '../fault-plan.ts';
import type { History } from '../judge/history.ts';
import type { Violations } from '../judge/violations.ts';
import { type Random, randomStream } from '../random.ts';
import type { SimProcess } from './sim-process.ts';

const WORDS = ['one', 'two', 'tides', 'of', 'salt', 'and', 'light', 'fall', 'back', '…', '\n', 'ünder', '🙂'];
/** How long to wait for a stalled upstream, as the watchdog of the real client does. */
const STALL_MS = 1_200;
/** The share of turns whose answers cannot be continued. Turn ids are random, so the conversation decides (WORLD-1). */
const NEVER_CONTINUED = 1 / 3;

function answerTo(messages: readonly Message[]): readonly string[] {
  const random = randomStream(0, JSON.stringify(messages));
  const count = 2 + random.below(14);
  return Array.from({ length: count }, () => `${random.pick(WORDS)} `);
}

export interface ModelPorts {
  readonly seed: number;
  readonly faults: readonly Fault[];
  readonly history: History;
  readonly violations: Violations;
  readonly note: (line: () => string) => void;
}

/** All upstreams of the world; each instance has its own generator on it. */
export class SimModel {
  readonly #ports: ModelPorts;
  readonly #random: Random;
  readonly #live = new Map<string, Set<SimProcess>>();
  readonly #answers = new Map<string, Set<string>>();
  #calls = 0;

  constructor(ports: ModelPorts) {
    this.#ports = ports;
    this.#random = randomStream(ports.seed, 'model');
  }

  /** What a turn may have been answered with; more than one only where a failover lost part of its conversation. */
  answersOf(turnId: string): ReadonlySet<string> {
    return this.#answers.get(turnId) ?? new Set();
  }

  generatorOf(process: SimProcess): Generator {
    return {
      generate: (request, onChunk, signal) => this.#generate(process, request, onChunk, signal),
      async close() {},
    };
  }

  #generate(
    process: SimProcess,
    request: GenerationRequest,
    onChunk: Parameters<Generator['generate']>[1],
    signal: AbortSignal,
  ): Promise<GenerationResult> {
    this.#calls += 1;
    const nth = this.#calls;
    const fault = this.#ports.faults.find((one) => one.kind === 'generation' && one.nth === nth);
    const tokens = answerTo(request.messages);
    const { turnId, attempt, prefix } = request;
    this.#judge(process, request, tokens);
    const { note } = this.#ports;
    note(() => `${process.name} generates, attempt ${attempt}, after ${JSON.stringify(prefix?.text ?? '')}`);
    const rest = restOf(tokens, prefix?.text ?? '');
    const startedAt = process.clock.now();

    return new Promise<GenerationResult>((resolve) => {
      let cancel = () => {};
      let finished = false;
      const finish = (result: GenerationResult) => {
        if (finished) return;
        finished = true;
        cancel();
        this.#live.get(turnId)?.delete(process);
        note(() => `${process.name} generation ${result.kind}`);
        resolve(result);
      };
      signal.addEventListener('abort', () => finish({ kind: 'aborted' }), { once: true });
      const failed = (retryable: boolean): GenerationResult => ({
        kind: 'failed',
        code: retryable ? 'upstream_error' : 'upstream_rejected',
        message: 'as planned',
        retryable,
        replica: 'r1',
      });
      const { seed } = this.#ports;
      const unable = randomStream(seed, `continues ${JSON.stringify(request.messages)}`).chance(
        NEVER_CONTINUED,
      );
      if (prefix !== null && unable) {
        cancel = process.clock.after(this.#pause(), () => finish({ kind: 'restart', replica: 'r1' }));
        return;
      }
      let said = 0;
      const next = () => {
        const after = fault?.kind === 'generation' && said >= Math.min(fault.after, rest.length);
        if (after && fault.effect === 'stall')
          cancel = process.clock.after(STALL_MS, () => finish(failed(true)));
        else if (after) finish(failed(fault.effect === 'fail'));
        else if (said === rest.length)
          finish(completed(request, tokens.length, process.clock.now() - startedAt));
        else {
          const text = rest[said]!;
          said += 1;
          onChunk({ text, ...(attempt % 2 === 1 ? { tokenIds: [crc32(text)] } : {}) });
          cancel = process.clock.after(this.#pause(), next);
        }
      };
      cancel = process.clock.after(this.#pause(), next);
    });
  }

  #pause(): number {
    return this.#random.chance(0.2) ? 1 : this.#random.between(5, 90);
  }

  #judge(process: SimProcess, request: GenerationRequest, tokens: readonly string[]): void {
    const { violations, history } = this.#ports;
    const { turnId, attempt, prefix } = request;
    const answer = tokens.join('');
    if (!history.wasAsked(turnId, attempt))
      violations.found('G2', `a generation of attempt ${attempt} began that no stored transition asked for`);

    const owner = history.lives.get(request.sessionId)?.instance;
    if (owner !== process.name) {
      // Of what it asks nothing is ever stored, so the rest need not be judged. Its own end may be under way.
      if (owner !== undefined && !history.branched)
        violations.found('G1', `${process.name} asked the model for a turn of a session that it has lost`);
      return;
    }
    const answers = this.#answers.get(turnId) ?? new Set();
    answers.add(answer);
    this.#answers.set(turnId, answers);
    if (answers.size > 1 && !history.branched)
      violations.found('G7', 'two generations of a turn were asked with different conversations');
    if (prefix !== null && !answer.startsWith(prefix.text))
      violations.found('G7', `${JSON.stringify(prefix.text)} is no prefix of ${JSON.stringify(answer)}`);
    const ids = prefix?.tokenIds ?? null;
    if (prefix !== null && ids !== null && !stand(ids, tokens, prefix.text))
      violations.found('G7', `the token ids of a prefix do not stand for ${JSON.stringify(prefix.text)}`);

    const live = this.#live.get(turnId) ?? new Set();
    this.#live.set(turnId, live);
    if (live.has(process)) violations.found('R24', 'an instance runs two generations of one turn');
    live.add(process);
  }
}

function stand(ids: readonly number[], tokens: readonly string[], text: string): boolean {
  const said = tokens.slice(0, ids.length);
  return said.join('') === text && said.every((token, index) => crc32(token) === ids[index]);
}

function restOf(tokens: readonly string[], prefix: string): readonly string[] {
  let skip = prefix.length;
  return tokens.flatMap((token) => {
    const rest = token.slice(Math.min(skip, token.length));
    skip = Math.max(0, skip - token.length);
    return rest === '' ? [] : [rest];
  });
}

function completed(request: GenerationRequest, tokens: number, totalMs: number): GenerationResult {
  return {
    kind: 'completed',
    finishReason: 'stop',
    usage: { prompt_tokens: request.messages.length, completion_tokens: tokens },
    model: 'sim',
    replica: 'r1',
    firstTokenMs: 1,
    totalMs,
    temperature: 0,
    maxTokens: 100,
    simulated: true,
  };
}
