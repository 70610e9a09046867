/** mergeTurn shortens the frames of a turn for a reader that has none: without voided text, and with one delta. */
import type { TurnFrame } from '../turns/own-turn.ts';

type Delta = Extract<TurnFrame, { readonly type: 'delta' }>;

/** `frames` are the frames of one turn from its beginning, in the order of the log. */
export function mergeTurn(frames: readonly TurnFrame[]): readonly TurnFrame[] {
  const lastStart = frames.findLastIndex(({ type }) => type === 'turn.started');
  const kept = frames.filter(({ type }, index) => index >= lastStart || type === 'message.queued');
  const first = kept.findIndex(({ type }) => type === 'delta');
  if (first === -1) return kept;
  const others = (from: number, to?: number) => kept.slice(from, to).filter(({ type }) => type !== 'delta');
  return [...others(0, first), ...joined(kept), ...others(first)];
}

function joined(frames: readonly TurnFrame[]): readonly Delta[] {
  const deltas = frames.filter((frame): frame is Delta => frame.type === 'delta');
  const reasoning = deltas.map((delta) => delta.reasoning ?? '').join('');
  const text = deltas.map((delta) => delta.text).join('');
  return deltas.slice(-1).map(({ reasoning: _, ...last }) => ({
    ...last,
    text,
    ...(reasoning === '' ? {} : { reasoning }),
  }));
}
