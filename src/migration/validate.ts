/** Compares every session of the source with its copy in the target, byte by byte. */
import type { SessionDump } from '../store/contract.ts';
import { counted, type Tally } from './notes.ts';
import { type Run, type RunEnd, walk } from './run.ts';
import type { Found } from './source.ts';

/** Differences that get a line of their own; the others are only counted. */
const NAMED_MAX = 20;

export async function validate(run: Run): Promise<{ ending: RunEnd; tally: Tally }> {
  const { source, to } = run.endpoints;
  let tally: Tally = { equal: 0, different: 0, missing: 0, unreadable: 0 };
  let named = 0;
  const ending = await walk(run, {
    name: 'comparing',
    source,
    cursor: null,
    done: 0,
    async each(found: Found) {
      if (found.kind === 'unreadable') return 'unreadable';
      const there = await to.export(found.dump.sessionId);
      const name = there === null ? 'missing' : isEqual(found.dump, there) ? 'equal' : 'different';
      if (name !== 'equal' && named < NAMED_MAX) {
        named += 1;
        run.say(`${found.dump.sessionId} is ${name}`);
      }
      return name;
    },
    async after(names) {
      tally = counted(tally, names);
    },
  });
  const differences = (tally.different ?? 0) + (tally.missing ?? 0);
  run.say(`${differences} differences in ${(tally.equal ?? 0) + differences} sessions`);
  return { ending, tally: { ...tally, differences } };
}

/** The whole session as one text with its parts in a fixed order. */
function bytesOf({ sessionId, record, index, frames, transcript, inbox, messageIds }: SessionDump): string {
  const { version, epoch, head, snapshot, instance, dueAt } = record;
  const { state, userId, createdAt } = index;
  return JSON.stringify([
    [sessionId, version, epoch, head, snapshot, instance, dueAt],
    [state, userId, createdAt],
    frames.map(({ offset, data, aux }) => [offset, data, aux ?? null]),
    transcript.map((entry) => JSON.stringify(entry)),
    inbox,
    messageIds,
  ]);
}

export function isEqual(one: SessionDump, other: SessionDump | null): boolean {
  return other !== null && bytesOf(one) === bytesOf(other);
}
