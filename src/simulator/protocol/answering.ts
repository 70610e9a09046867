/**
 * Answers one accepted request: admission → headers → tokens → end, as a stream or whole.
 *
 * REPLY-1  Headers leave right after admission; a client that waits in the queue or for the first token reads no body yet.
 * REPLY-2  A client that leaves ends its generation; its slot is free before `aborted` counts it.
 * REPLY-3  [DONE] ends every stream, even after an error event, unless a fault cuts the stream or removes it.
 */
import { randomUUID } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { sleep } from '../../clock.ts';
import type { Engine, PrefixCache, Slot } from '../engine/engine.ts';
import { faultNumber } from '../engine/faults.ts';
import { type CutKind, type Delta, generate, type Step } from '../engine/generation.ts';
import { createPause, type Pause } from '../engine/pause.ts';
import type { RequestOutcome, Statistics } from '../engine/statistics.ts';
import type { Settings } from '../settings.ts';
import type { Job } from './job.ts';
import { admissionRefused, MID_STREAM_ERROR } from './refusals.ts';
import { EventStream, sendJson, sendRefusal, sendText } from './responses.ts';
import { createShapes, type Shapes } from './shapes.ts';

export interface AnswerContext {
  readonly settings: Settings;
  readonly engine: Engine;
  readonly statistics: Statistics;
  readonly prefixCache: PrefixCache;
}

interface AnswerEnd {
  readonly outcome: RequestOutcome;
  readonly finishReason: string;
}

const NOTHING: Delta = { ids: [], text: '' };
/** A reset discards what the kernel has not delivered yet; the tokens before it must arrive. */
const BEFORE_RESET_MS = 25;

export async function answerJob(
  { settings, engine, statistics, prefixCache }: AnswerContext,
  job: Job,
  req: IncomingMessage,
  res: ServerResponse,
): Promise<void> {
  const slot = engine.enter();
  if (slot === null) {
    statistics.refused('admission');
    return sendRefusal(res, admissionRefused());
  }
  const pause = createPause();
  let end: AnswerEnd = { outcome: 'aborted', finishReason: 'abort' };
  let completionTokens = 0;
  let cachedTokens = 0;
  const leave = (): void => {
    pause.cancel(); // REPLY-2
    slot.leave();
  };
  res.once('close', leave);
  const requestId = header(req, 'x-request-id') ?? randomUUID().replaceAll('-', '');
  const id = `${job.api === 'chat' ? 'chatcmpl' : 'cmpl'}-${requestId}`;
  const promptTokens = job.promptIds.length;
  statistics.accepted({
    id,
    api: job.api,
    sessionId: header(req, 'x-session-id') ?? null,
    conversationKey: job.conversationKey,
    promptTokens,
    isContinuation: job.isContinuation,
  });
  if (settings.requestIdHeaders) res.setHeader('X-Request-Id', requestId);
  const shapes = createShapes({
    job,
    id,
    model: settings.model,
    createdS: Math.floor(Date.now() / 1000),
    usage: () => ({
      promptTokens,
      completionTokens,
      cachedTokens: settings.promptTokensDetails ? cachedTokens : null,
    }),
  });

  async function* steps(slot: Slot): AsyncGenerator<Step> {
    // A queued request leaves the queue when its client does; its turn then never comes.
    await Promise.race([slot.turn, pause.sleep(Number.POSITIVE_INFINITY)]);
    if (pause.cancelled) return;
    cachedTokens = prefixCache.add(job.promptIds);
    statistics.prompted(promptTokens, cachedTokens);
    for await (const step of generate(job, settings, pause)) {
      if ('ids' in step) completionTokens += step.ids.length;
      yield step;
    }
  }

  try {
    const headersMs = faultNumber(job.faults, 'headers-ms') ?? 0;
    await pause.sleep(job.faults.has('stall-headers') ? Number.POSITIVE_INFINITY : headersMs);
    if (!pause.cancelled) {
      const write = job.stream && !job.faults.has('whole') ? writeStream : writeWhole;
      end = (await write(job, res, steps(slot), shapes, pause)) ?? end;
    }
  } finally {
    res.off('close', leave);
    leave();
    statistics.ended(end.outcome, end.finishReason, completionTokens);
  }
}

/** Null: the client left before the end. */
type Writer = (
  job: Job,
  res: ServerResponse,
  steps: AsyncGenerator<Step>,
  shapes: Shapes,
  pause: Pause,
) => Promise<AnswerEnd | null>;

const writeStream: Writer = async ({ faults, isThinking, usage }, res, steps, shapes, pause) => {
  if (faults.has('page')) {
    sendText(res, 200, '<!doctype html><html><body>Sign in to go on.</body></html>', 'text/html');
    return { outcome: 'faulted', finishReason: 'page' };
  }
  const stream = new EventStream(res, faults, pause); // REPLY-1
  let isOpen = false;
  let isFirst = true;
  for await (const step of steps) {
    const opening = isOpen ? null : shapes.opening();
    isOpen = true;
    if (opening !== null) await stream.send(opening);
    switch (step.kind) {
      case 'empty':
        for (const chunk of shapes.empty()) await stream.send(chunk);
        break;
      case 'reasoning':
        await stream.send(shapes.reasoning(step));
        break;
      case 'tokens':
        if (faults.has('lost-ids') && step.text === '') break;
        await stream.send(isThinking ? shapes.reasoning(step) : shapes.delta(step, isFirst));
        isFirst = false;
        break;
      case 'cut':
        return await cutStream(step.how, res);
      case 'finish':
        if (isThinking) await stream.send(shapes.reasoning(step));
        await stream.send(shapes.finish(isThinking ? NOTHING : step, step, isFirst));
        if (faults.has('empty-finish'))
          await stream.send(shapes.finish(NOTHING, { reason: '', stopReason: null }, false));
        if (usage !== 'never') await stream.send(shapes.usage());
        await stream.end(); // REPLY-3
        return endOf(step.reason);
    }
  }
  return null;
};

function endOf(finishReason: string): AnswerEnd {
  return { outcome: finishReason === 'abort' ? 'faulted' : 'completed', finishReason };
}

async function cutStream(how: CutKind, res: ServerResponse): Promise<AnswerEnd> {
  switch (how) {
    case 'truncate':
      res.end();
      break;
    case 'error':
      res.end(`data: ${JSON.stringify(MID_STREAM_ERROR)}\n\ndata: [DONE]\n\n`);
      break;
    case 'bad-json':
      res.end('data: {"id":"chatcmpl-\n\ndata: [DONE]\n\n');
      break;
    case 'reset':
      await sleep(BEFORE_RESET_MS);
      res.socket?.resetAndDestroy();
      break;
  }
  return { outcome: 'faulted', finishReason: how };
}

const writeWhole: Writer = async (_job, res, steps, shapes) => {
  let text = '';
  const ids: number[] = [];
  for await (const step of steps) {
    if (step.kind === 'cut') {
      if (step.how === 'error') sendJson(res, 500, MID_STREAM_ERROR);
      else res.socket?.resetAndDestroy();
      return { outcome: 'faulted', finishReason: step.how };
    }
    if (step.kind !== 'tokens' && step.kind !== 'finish') continue;
    text += step.text;
    for (const id of step.ids) ids.push(id);
    if (step.kind === 'tokens') continue;
    sendJson(res, 200, shapes.whole({ text, ids }, step));
    return endOf(step.reason);
  }
  return null;
};

function header(req: IncomingMessage, name: string): string | undefined {
  const value = req.headers[name];
  return typeof value === 'string' && value !== '' ? value : undefined;
}
