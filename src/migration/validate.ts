/** Compares every session of the source with the target's, byte by byte. */
import { isEqual } from './equal.ts';
import { counted, type Run, type RunEnd, type Tally, walk } from './run.ts';
import type { Found } from './source.ts';

/** Differences that are named one by one; the others are counted. */
const NAMED = 20;

export async function validate(run: Run): Promise<{ ending: RunEnd; tally: Tally }> {
  const { source, to } = run.ends;
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
      if (name !== 'equal' && named < NAMED) {
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
