/**
 * A sight is the stored session without the parts that an owner's death may change: its name, offsets, versions, epochs,
 * resumptions, and the stored length of the running turn's text.
 */
import { expect } from 'vitest';
import type { SessionContext } from '../../../machines/vocabulary.ts';
import { readSnapshot, type Snapshot } from '../../../src/session/machine/snapshot.ts';
import type { Timers } from '../../../src/session/machine/step.ts';
import type { SessionRecord, Store, StoredFrame, TranscriptEntry } from '../../../src/store/contract.ts';
import { textOf } from './narrator.ts';

export interface Sight {
  readonly value: unknown;
  readonly context: SessionContext;
  readonly timers: Timers;
  readonly jobs: readonly string[];
  readonly dueAt: number | null;
  readonly inboxLength: number;
  readonly transcript: readonly TranscriptEntry[];
  readonly said: readonly unknown[];
  readonly texts: Readonly<Record<string, string>>;
}

type Frame = Readonly<Record<string, unknown>> & { readonly type: string; readonly offset: number };

export async function storedSnapshot(store: Store, sessionId: string): Promise<Snapshot | null> {
  const record = await store.read(sessionId);
  return record === null ? null : snapshotIn(record);
}

function snapshotIn({ snapshot }: SessionRecord): Snapshot {
  const opened = readSnapshot(snapshot);
  if (opened.kind !== 'opened')
    throw new Error(`the stored snapshot cannot be read: ${JSON.stringify(opened)}`);
  return opened.snapshot;
}

/** Null if nothing is stored, because the session has ended. */
export async function sightOf(store: Store, sessionId: string): Promise<Sight | null> {
  const [record, page, transcript] = await Promise.all([
    store.read(sessionId),
    store.readLog(sessionId, 0, 10_000),
    store.readTranscript(sessionId),
  ]);
  if (record === null || page === null) return null;
  expect(page.head).toBe(record.head);
  const { value, context, timers, jobs } = snapshotIn(record);
  const { said, texts } = told(page.frames);
  const { [context.turn?.id ?? '']: _, ...whole } = texts;
  return {
    value,
    context: {
      ...context,
      sessionId: '',
      turn: context.turn === null ? null : { ...context.turn, resumed: 0 },
    },
    timers,
    jobs: Object.keys(jobs),
    // While a turn runs, the owner's lease is a deadline too, and it counts from the owner's last write.
    dueAt: context.turn === null ? record.dueAt : null,
    inboxLength: record.inboxLength,
    transcript,
    said,
    texts: whole,
  };
}

/** The frames besides the text, and the text of each turn. Their offsets must continue from `after` without a gap. */
export function told(frames: readonly StoredFrame[], after = 0): Pick<Sight, 'said' | 'texts'> {
  const said: unknown[] = [];
  const texts: Record<string, string> = {};
  const parsed = frames.map(({ data }) => JSON.parse(data) as Frame);
  const wanted = frames.map((_, index) => after + index + 1);
  expect(frames.map(({ offset }) => offset)).toEqual(wanted);
  expect(parsed.map(({ offset }) => offset)).toEqual(wanted);
  for (const frame of parsed) {
    const turnId = String(frame.turn_id);
    if (frame.type === 'delta') texts[turnId] = `${texts[turnId] ?? ''}${frame.text}`;
    else said.push(settled(frame));
  }
  for (const [turnId, text] of Object.entries(texts)) expect(textOf(turnId).startsWith(text)).toBe(true);
  return { said, texts };
}

function settled({ offset: _, version: __, epoch: ___, metadata, ...frame }: Frame): unknown {
  if (metadata === undefined) return frame;
  return { ...frame, metadata: { ...(metadata as object), resumed: 0 } };
}
