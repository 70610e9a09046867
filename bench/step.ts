/** What does a transition cost before it is stored: reading the frame, stepping the machine, writing the snapshot? */
import type { SessionEvent } from '../machines/vocabulary.ts';
import { decode } from '../src/protocol/codec.ts';
import { buildFrames } from '../src/session/actor/frames.ts';
import { strippedOf } from '../src/session/history/history-event.ts';
import { HistoryRecorder } from '../src/session/history/record.ts';
import { pathOf } from '../src/session/history/replay.ts';
import { readSnapshot, toSnapshot } from '../src/session/machine/snapshot.ts';
import {
  begin,
  type MachineState,
  restoreState,
  type Step,
  type StepEvent,
  step,
} from '../src/session/machine/step.ts';
import { sampleCompletion, sampleInput, sampleMessage } from './contenders/write-bytes.ts';
import { question } from './load/exchanges.ts';
import type { Extent } from './measure/extent.ts';
import { median } from './measure/summary.ts';
import { figure, type Section, table } from './report/table.ts';

interface Case {
  readonly name: string;
  readonly from: MachineState;
  readonly event: StepEvent;
  /** The client's frame that causes it; null if no client does. */
  readonly wire: string | null;
}

const ROUNDS = 7;
const TURN_ID = '6f1c1a52-33c5-4d55-9d4e-0d7f5a1c2b3e';
const SESSION_ID = '0b0e6a0e-1c1d-4b5f-8d3c-2f1e0d9c8b7a';

function cases(): readonly Case[] {
  const input = sampleInput(SESSION_ID);
  const at = input.at + 2;
  const connected = begin(input, '1').next;
  const processing = step(connected, sampleMessage('queue', TURN_ID), '2').next;
  const message = (policy: string) =>
    JSON.stringify({ type: 'message', id: '0000000000', content: question(1, 0), policy });
  const extend: SessionEvent = { type: 'extend', at };
  const completed = sampleCompletion(at);
  return [
    { name: 'extend: connected → connected', from: connected, event: extend, wire: '{"type":"extend"}' },
    {
      name: 'message: connected → processing',
      from: connected,
      event: sampleMessage('queue', TURN_ID),
      wire: message('queue'),
    },
    {
      name: 'message, rollback: processing → processing',
      from: processing,
      event: sampleMessage('rollback', TURN_ID, 'later-id'),
      wire: message('rollback'),
    },
    { name: 'answer done: processing → connected', from: processing, event: completed, wire: null },
  ];
}

const recorder = new HistoryRecorder({ instance: '0123456789ab', epoch: 1_795_948_858_909 }, 500);
recorder.stored(2, 1_795_948_858_909);

function recordOf(from: MachineState, event: StepEvent, next: MachineState, taken: Step['taken']): string {
  const [before, after] = [from, next].map(({ snapshot }) => pathOf(snapshot.value));
  const path = { from: before ?? '', to: after ?? '', taken };
  return recorder.write({ version: 3, at: event.at, event: strippedOf(event), ...path, waitedMs: 1 });
}

/** Microseconds of CPU per call, the median of some rounds: other work on the machine does not count. */
function timed(calls: number, work: () => unknown): number {
  const rounds: number[] = [];
  for (let round = 0; round <= ROUNDS; round++) {
    const before = process.cpuUsage();
    for (let call = 0; call < calls; call++) work();
    // The first round is for the compiler.
    const { user, system } = process.cpuUsage(before);
    if (round > 0) rounds.push((user + system) / calls);
  }
  return median(rounds);
}

export function steps(extent: Extent): Section {
  const calls = extent.steps;
  const rows = cases().map(({ name, from, event, wire }) => {
    const { next, effects, taken } = step(from, event, '3');
    const json = JSON.stringify(toSnapshot(next, 1));
    const bytes = wire === null ? null : new TextEncoder().encode(wire).buffer;
    const parts = [
      bytes === null ? 0 : timed(calls, () => decode(bytes)),
      timed(calls, () => step(from, event, '3')),
      timed(calls, () => buildFrames(effects, { head: 1_000, epoch: 1, version: 1_000 }, null, null)),
      timed(calls, () => JSON.stringify(toSnapshot(next, 1))),
      timed(calls, () => recordOf(from, event, next, taken)),
    ];
    const whole = parts.reduce((sum, part) => sum + part, 0);
    const opened = timed(calls / 10, () => {
      const found = readSnapshot(json);
      if (found.kind !== 'opened') throw new Error('the benchmark cannot read its own snapshot');
      const { value, context, timers, jobs } = found.snapshot;
      return restoreState(value, context, timers, jobs);
    });
    return [
      name,
      ...parts.map((part) => (part === 0 ? '–' : figure(part))),
      figure(whole),
      figure(opened),
      figure(json.length),
    ];
  });
  const words = `Microseconds of CPU in one process, without a store and with the garbage collector: the median of ${ROUNDS} rounds of ${calls.toLocaleString('en-US')} calls. "wake" is reading a stored snapshot back.`;
  const head = [
    'transition',
    'decode',
    '`step`',
    'frames',
    'snapshot to JSON',
    'history',
    'together',
    'wake',
    'snapshot bytes',
  ];
  return { title: 'A step', body: `${words}\n\n${table(head, rows)}` };
}
