/** mergeTurn shortens the frames of a turn for a reader that has none: without voided text, and with one delta. */
import type { TurnFrame } from '../turns/own-turn.ts';

type Delta = Extract<TurnFrame, { readonly type: 'delta' }>;

/** `frames` are the frames of one turn from its beginning, in the order of the log. */
export function mergeTurn(frames: readonly TurnFrame[]): readonly TurnFrame[] {
  const lastStart = frames.findLastIndex(({ type }) => type === 'turn.started');
  const kept = frames.filter(({ type }, index) => index >= lastStart || type === 'message.queued');
  const first = kept.findIndex(({ type }) => type === 'delta');
  if (first === -1) return kept;
  const deltas = kept.filter((frame): frame is Delta => frame.type === 'delta');
  const others = (from: number, to?: number) => kept.slice(from, to).filter(({ type }) => type !== 'delta');
  return [...others(0, first), joined(deltas), ...others(first)];
}

function joined(deltas: readonly Delta[]): Delta {
  const reasoning = deltas.map((delta) => delta.reasoning ?? '').join('');
  const text = deltas.map((delta) => delta.text).join('');
  const { reasoning: _, ...last } = deltas.at(-1)!;
  return { ...last, text, ...(reasoning === '' ? {} : { reasoning }) };
}
