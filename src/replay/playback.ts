/** Writes a history for a terminal: one line for each transition, then the verdict. */
import type { FileRecord, HistoryFile } from '../session/history/history-file.ts';
import type { Replayed } from '../session/history/replay.ts';

/** Text of a session must not move a terminal's cursor or change its colours. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: these characters would command the terminal.
const shown = (text: string): string => text.replace(/[\u0000-\u001f\u007f-\u009f]/g, '\ufffd');

export function lineOf(record: FileRecord): string {
  const { version, at, event, user_id, from, to, taken, instance, waited_ms } = record;
  const guards = taken.flatMap(({ guard }) => (guard === null ? [] : [`[${guard}]`]));
  const actions = taken.flatMap((one) => one.actions);
  const cause = event.type.replace(/^xstate\.(after|done|error)\./, '$1 ');
  const way = from === to ? to : `${from ?? '(begins)'} → ${to}`;
  const by = user_id === null ? '' : ` by ${user_id}`;
  const wait = waited_ms > 0 ? ` after ${waited_ms} ms` : '';
  return shown(
    [
      `${String(version).padStart(5)}  ${new Date(at).toISOString()}  ${cause}${by}: ${way}`,
      ...(guards.length + actions.length === 0 ? [] : [`  ${[...guards, ...actions].join(' ')}`]),
      `  (${instance}${wait})`,
    ].join(''),
  );
}

export const EXIT = { equal: 0, different: 1, incomplete: 2, unreadable: 3 } as const;
export type Exit = (typeof EXIT)[keyof typeof EXIT];

export interface Verdict {
  readonly exit: Exit;
  readonly text: string;
}

export function verdictOf(replayed: Replayed, { session_id, snapshot }: HistoryFile): Verdict {
  switch (replayed.kind) {
    case 'equal':
      return {
        exit: EXIT.equal,
        text: `OK: ${replayed.records} records lead to the stored state of ${session_id}, version ${snapshot.version}`,
      };
    case 'misfit': {
      const { record, why } = replayed;
      const words = `version ${record.version} (${record.event.type}): ${why}`;
      return {
        exit: EXIT.different,
        text: shown(`DOES NOT FIT: the first record that does not fit is ${words}`),
      };
    }
    case 'differs':
      return {
        exit: EXIT.different,
        text:
          shown(`DIFFERS: every record fits, but the stored state is another`) +
          `\n${replayed.fields.map((one) => `  ${shown(one)}`).join('\n')}`,
      };
    case 'incomplete':
      return {
        exit: EXIT.incomplete,
        text: `INCOMPLETE: ${replayed.why}; the records that are left follow from each other, and were not replayed`,
      };
  }
}
