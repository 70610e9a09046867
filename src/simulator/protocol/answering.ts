/**
 * Answers one accepted request: admission → headers → tokens → end, streaming or whole.
 *
 * S1  Headers leave right after admission, before the queue and the first token: a waiting client hears nothing.
 * S2  A client that leaves ends the run at once; its slot is free and `aborted` has counted it.
 * S3  [DONE] ends every stream, even after an error event; only a truncated or reset one lacks it,
 *     or one whose fault says so.
 */
import { randomUUID } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { sleep } from '../../clock.ts';
import type { Engine, Slot } from '../engine/engine.ts';
import { type CutKind, type Delta, runGeneration, type Step } from '../engine/generation.ts';
import type { Job } from '../engine/job.ts';
import { createPause, type Pause } from '../engine/pause.ts';
import type { PrefixCache } from '../engine/prefix-cache.ts';
import type { Ending, Statistics } from '../engine/statistics.ts';
import type { Settings } from '../settings.ts';
import { faultNumber } from './faults.ts';
import { admissionRefused, MID_STREAM_ERROR } from './refusals.ts';
import { sendJson, sendRefusal, sendText } from './responses.ts';
import { createShapes, type Shapes } from './shapes.ts';
import { createWire } from './wire.ts';

export interface Hall {
  readonly settings: Settings;
  readonly engine: Engine;
  readonly statistics: Statistics;
  readonly prefixCache: PrefixCache;
}

interface Outcome {
  readonly ending: Ending;
  readonly finishReason: string;
}

const COMPLETED = 'completed';
const NOTHING: Delta = { ids: [], text: '' };
/** A reset discards what the kernel has not delivered yet; the tokens before it must arrive. */
const BEFORE_RESET_MS = 25;

export async function answerJob(
  hall: Hall,
  job: Job,
  req: IncomingMessage,
  res: ServerResponse,
): Promise<void> {
  const { settings, engine, statistics } = hall;
  const slot = engine.enter();
  if (slot === null) {
    statistics.refused('admission');
    sendRefusal(res, admissionRefused());
    return;
  }
  const pause = createPause();
  let outcome: Outcome = { ending: 'aborted', finishReason: 'abort' };
  let completionTokens = 0;
  let cachedTokens = 0;
  const leave = (): void => {
    pause.cancel(); // S2
    slot.leave();
  };
  res.once('close', leave);
  const requestId = header(req, 'x-request-id') ?? randomUUID().replaceAll('-', '');
  const id = `${job.api === 'chat' ? 'chatcmpl' : 'cmpl'}-${requestId}`;
  statistics.accepted({
    id,
    api: job.api,
    sessionId: header(req, 'x-session-id') ?? null,
    conversationKey: job.conversationKey,
    promptTokens: job.promptIds.length,
    isContinuation: job.isContinuation,
  });
  if (settings.requestIdHeaders) res.setHeader('X-Request-Id', requestId);
  const shapes = createShapes({
    job,
    id,
    model: settings.model,
    createdS: Math.floor(Date.now() / 1000),
    usage: () => ({
      promptTokens: job.promptIds.length,
      completionTokens,
      cachedTokens: settings.promptTokensDetails ? cachedTokens : null,
    }),
  });

  async function* steps(): AsyncGenerator<Step> {
    await waitForTurn(slot as Slot, pause);
    if (pause.cancelled) return;
    cachedTokens = hall.prefixCache.visit(job.promptIds);
    statistics.cached(job.promptIds.length, cachedTokens);
    for await (const step of runGeneration(job, settings, pause)) {
      if ('ids' in step) completionTokens += step.ids.length;
      yield step;
    }
  }

  try {
    const stall = job.faults.has('stall-headers')
      ? Number.POSITIVE_INFINITY
      : faultNumber(job.faults, 'headers-ms');
    await pause.sleep(stall ?? 0);
    if (!pause.cancelled) {
      const write = job.stream && !job.faults.has('whole') ? writeStream : writeWhole;
      outcome = (await write(job, res, steps(), shapes, pause)) ?? outcome;
    }
  } finally {
    res.off('close', leave);
    leave();
    statistics.ended(outcome.ending, outcome.finishReason, completionTokens);
  }
}

/** A queued request leaves the queue when its client does; its turn then never comes. */
function waitForTurn(slot: Slot, pause: Pause): Promise<unknown> {
  return Promise.race([slot.turn, pause.sleep(Number.POSITIVE_INFINITY)]);
}

type Writer = (
  job: Job,
  res: ServerResponse,
  steps: AsyncGenerator<Step>,
  shapes: Shapes,
  pause: Pause,
) => Promise<Outcome | null>;

const writeStream: Writer = async (job, res, steps, shapes, pause) => {
  if (job.faults.has('page')) {
    sendText(res, 200, '<!doctype html><html><body>Sign in to go on.</body></html>', 'text/html');
    return { ending: 'faulted', finishReason: 'page' };
  }
  const wire = createWire(res, job.faults, pause);
  const { send } = wire;
  wire.begin(); // S1
  let isOpen = false;
  let isFirst = true;
  for await (const step of steps) {
    if (!isOpen) {
      const opening = shapes.opening();
      if (opening !== null) await send(opening);
      isOpen = true;
    }
    switch (step.kind) {
      case 'empty':
        for (const chunk of shapes.empty()) await send(chunk);
        break;
      case 'reasoning':
        await send(shapes.reasoning(step));
        break;
      case 'tokens':
        if (job.faults.has('lost-ids') && step.text === '') break;
        await send(job.isThinking ? shapes.reasoning(step) : shapes.delta(step, isFirst));
        isFirst = false;
        break;
      case 'cut':
        return await cutStream(step.how, res);
      case 'finish':
        if (job.isThinking) await send(shapes.reasoning(step));
        await send(
          shapes.finish(job.isThinking ? { ids: [], text: '' } : step, step.reason, step.stopReason, isFirst),
        );
        if (job.faults.has('empty-finish')) await send(shapes.finish(NOTHING, '', null, false));
        if (job.usage !== 'never') await send(shapes.usage());
        await wire.end(); // S3
        return { ending: step.reason === 'abort' ? 'faulted' : COMPLETED, finishReason: step.reason };
    }
  }
  return null;
};

async function cutStream(how: CutKind, res: ServerResponse): Promise<Outcome> {
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
  return { ending: 'faulted', finishReason: how };
}

const writeWhole: Writer = async (_job, res, steps, shapes) => {
  let text = '';
  const ids: number[] = [];
  for await (const step of steps) {
    if (step.kind === 'cut') {
      if (step.how === 'error') sendJson(res, 500, MID_STREAM_ERROR);
      else res.socket?.resetAndDestroy();
      return { ending: 'faulted', finishReason: step.how };
    }
    if (step.kind === 'tokens' || step.kind === 'finish') {
      text += step.text;
      for (const id of step.ids) ids.push(id);
    }
    if (step.kind !== 'finish') continue;
    sendJson(res, 200, shapes.whole(text, ids, step.reason, step.stopReason));
    return { ending: step.reason === 'abort' ? 'faulted' : COMPLETED, finishReason: step.reason };
  }
  return null;
};

function header(req: IncomingMessage, name: string): string | undefined {
  const value = req.headers[name];
  return typeof value === 'string' && value !== '' ? value : undefined;
}
