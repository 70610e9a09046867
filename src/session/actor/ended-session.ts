/** Puts together what the archive gets of a session that ends, with the history up to the record of its end. */
import type { ArchivedHistory } from '../../archive/archive.ts';
import type { Store } from '../../store/contract.ts';
import { archivedFrom } from '../history/history-file.ts';
import { wordlessOf } from '../history/wordless.ts';
import type { MachineState } from '../machine/step.ts';
import type { Transcript } from '../turn/transcript.ts';
import type { ActorHost } from './actor-host.ts';
import type { EndedSession } from './archiver.ts';
import type { BuiltFrames } from './frames.ts';

export interface End {
  readonly next: MachineState;
  readonly built: BuiltFrames;
  /** Undefined: the session has no history. */
  readonly record: string | undefined;
}

export async function endedSession(
  { store, clock }: Pick<ActorHost, 'store' | 'clock'>,
  sessionId: string,
  said: Transcript,
  { next, built, record }: End,
): Promise<EndedSession> {
  return {
    sessionId,
    context: next.snapshot.context,
    transcript: [...(await said.read()), ...built.transcript],
    frames: built.frames,
    endedAt: clock.now(),
    history: record === undefined ? null : await archivedHistory(store, sessionId, next, record),
  };
}

async function archivedHistory(
  store: Store,
  sessionId: string,
  { snapshot, timers, jobs }: MachineState,
  record: string,
): Promise<ArchivedHistory | null> {
  const found = await store.readHistory(sessionId);
  if (found === null) return null;
  const { value, context } = snapshot;
  const state = wordlessOf({ value, context, timers, jobs });
  return archivedFrom({ version: found.record.version + 1, records: [...found.history, record], state });
}
