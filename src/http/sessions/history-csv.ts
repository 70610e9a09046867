/** Writes a history as a table: one line for each transition. */
import type { FileRecord } from '../../session/history/history-file.ts';

const COLUMNS: Readonly<Record<string, (record: FileRecord) => string | number | null>> = {
  version: ({ version }) => version,
  at: ({ at }) => new Date(at).toISOString(),
  event: ({ event }) => event.type,
  user_id: ({ user_id }) => user_id,
  turn_id: ({ turn_id }) => turn_id,
  from: ({ from }) => from,
  to: ({ to }) => to,
  guards: ({ taken }) => taken.flatMap(({ guard }) => guard ?? []).join(' '),
  actions: ({ taken }) => taken.flatMap(({ actions }) => actions).join(' '),
  instance: ({ instance }) => instance,
  epoch: ({ epoch }) => epoch,
  waited_ms: ({ waited_ms }) => waited_ms,
  machine_version: ({ machine_version }) => machine_version,
  details: ({ event: { type: _, ...details } }) => JSON.stringify(details),
};

export function* historyCsv(records: readonly FileRecord[]): Generator<string> {
  yield `${Object.keys(COLUMNS).join(',')}\r\n`;
  for (const record of records)
    yield `${Object.values(COLUMNS)
      .map((column) => cell(column(record)))
      .join(',')}\r\n`;
}

/** A program for tables would run a text that begins like a formula. */
function cell(value: string | number | null): string {
  if (value === null) return '';
  if (typeof value === 'number') return String(value);
  const text = /^[=+\-@\t\r]/.test(value) ? `'${value}` : value;
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
