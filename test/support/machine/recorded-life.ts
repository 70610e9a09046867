/** A random life with its history, recorded as a session's owners do it. */
import { beginningOf, strippedOf } from '../../../src/session/history/history-event.ts';
import { HistoryRecorder, readRecords } from '../../../src/session/history/record.ts';
import { type History, pathOf } from '../../../src/session/history/replay.ts';
import { wordlessOf } from '../../../src/session/history/wordless.ts';
import { begin, type MachineState, type Step } from '../../../src/session/machine/step.ts';
import { type Life, live } from './session-lives.ts';
import { INPUT, STARTS_AT } from './stepped-session.ts';

export interface Recorded {
  readonly texts: readonly string[];
  readonly history: History;
}

const pathIn = ({ snapshot }: MachineState): string => pathOf(snapshot.value);

/** Every third record is by another owner. */
export function recorded(moments: Life): Recorded {
  const texts: string[] = [];
  let recorder = new HistoryRecorder({ instance: INPUT.instance, epoch: STARTS_AT }, 500);
  let version = 0;
  const record = (at: number, event: ReturnType<typeof strippedOf>, from: string, { next, taken }: Step) => {
    version += 1;
    if (version % 3 === 0)
      recorder = new HistoryRecorder({ instance: `i${version}`, epoch: STARTS_AT + version }, 500);
    texts.push(recorder.write({ version, at, event, from, to: pathIn(next), taken, waitedMs: version }));
    recorder.stored(version, at);
  };
  const begun = begin(INPUT, '1');
  record(INPUT.at, beginningOf(INPUT, false), '', begun);
  let state = begun.next;
  for (const { event, before, stepped } of live(moments, (_, changes) => String(changes + 2))) {
    if (!stepped.changed) continue;
    record(event.at, strippedOf(event), pathIn(before), stepped);
    state = stepped.next;
  }
  const { snapshot, timers, jobs } = state;
  const { value, context } = snapshot;
  const stored = wordlessOf({ value, context, timers, jobs });
  const history = { sessionId: INPUT.sessionId, records: readRecords(texts), version, state: stored };
  return { texts, history };
}
