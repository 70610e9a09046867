/**
 * A history file is what `GET /api/session/{id}/history` answers and `npm run replay` reads: the records of a session, and its
 * state without words.
 */
import { z } from 'zod';
import { MACHINE_ID } from '../../../machines/versions.ts';
import type { ArchivedHistory } from '../../archive/archive.ts';
import { actorOf, BEGINS, type HistoryEvent, turnOf } from './history-event.ts';
import { type HistoryRecord, readRecords } from './record.ts';
import type { History } from './replay.ts';
import type { WordlessState } from './wordless.ts';

const at = z.number().describe('ms since the epoch');
const state = z.string().describe('innermost state, such as `connected.fresh`');

const recordSchema = z.strictObject({
  version: z.int().describe('version that the transition gave the session'),
  machine_version: z.int(),
  at,
  event: z
    .looseObject({ type: z.string() })
    .describe('what caused it, with ids, times, counts and codes; of a text only its length'),
  user_id: z
    .string()
    .nullable()
    .describe('user that sent the event; null: an instance, an operator, or no user'),
  turn_id: z.string().nullable(),
  from: state.nullable().describe('innermost state before; null: the session began'),
  to: state,
  taken: z
    .array(z.strictObject({ guard: z.string().nullable(), actions: z.array(z.string()) }))
    .describe('transitions of the chart, in order: the one of the event, then those without an event'),
  instance: z.string().describe('instance that stored it'),
  epoch: z.number().describe('claim of that instance'),
  waited_ms: z.number().describe('wait of the event until the instance took it'),
});

export const historyFileSchema = z
  .strictObject({
    session_id: z.string(),
    machine: z.literal(MACHINE_ID),
    ended_at: at.nullable().describe('null: the session is live'),
    complete: z
      .boolean()
      .describe('false: the oldest records were dropped, or the session began without a history'),
    records: z.array(recordSchema).describe('oldest first'),
    snapshot: z
      .strictObject({
        version: z.int(),
        value: z.unknown().describe('state of the machine'),
        context: z.record(z.string(), z.unknown()).describe('context of the machine without words'),
        timers: z.record(z.string(), z.number()).describe('deadlines, in ms since the epoch'),
        jobs: z.record(z.string(), z.strictObject({ src: z.string(), key: z.string() })),
      })
      .describe('the session as stored, without words: a replay of the records must reach it'),
  })
  .meta({ id: 'History' });

export type HistoryFile = z.infer<typeof historyFileSchema>;
export type FileRecord = HistoryFile['records'][number];

/** `withClients`: others than the owner need not know the devices of the owner. */
export function fileOf(history: History, endedAt: number | null, withClients: boolean): HistoryFile {
  const { sessionId, records, version, state } = history;
  const { context } = state;
  return {
    session_id: sessionId,
    machine: MACHINE_ID,
    ended_at: endedAt,
    complete: records[0]?.event.type === BEGINS,
    records: records.map((record) => fileRecord(record, withClients)),
    snapshot: { version, ...state, context: withClients ? context : { ...context, clientId: null } },
  };
}

function fileRecord(record: HistoryRecord, withClients: boolean): FileRecord {
  const { clientId, ...event } = record.event;
  const client = withClients && clientId !== undefined ? { clientId } : {};
  return {
    version: record.version,
    machine_version: record.machineVersion,
    at: record.at,
    event: { ...event, ...client } as FileRecord['event'],
    user_id: actorOf(record.event),
    turn_id: turnOf(record.event),
    from: record.from === '' ? null : record.from,
    to: record.to,
    taken: record.taken.map(({ guard, actions }) => ({ guard, actions: [...actions] })),
    instance: record.instance,
    epoch: record.epoch,
    waited_ms: record.waitedMs,
  };
}

export function historyIn({ session_id, records, snapshot }: HistoryFile): History {
  const { version, ...state } = snapshot;
  return {
    sessionId: session_id,
    version,
    state: state as WordlessState,
    records: records.map((record) => ({
      version: record.version,
      machineVersion: record.machine_version,
      at: record.at,
      event: record.event as unknown as HistoryEvent,
      from: record.from ?? '',
      to: record.to,
      taken: record.taken,
      instance: record.instance,
      epoch: record.epoch,
      waitedMs: record.waited_ms,
    })),
  };
}

interface Archived {
  readonly version: number;
  readonly records: readonly string[];
  readonly state: WordlessState;
}

/** The history of an ended session as the archive keeps it. */
export function archivedFrom({ version, records, state }: Archived): ArchivedHistory {
  const people = readRecords(records).flatMap(({ event }) => [event.userId, event.author, event.asker]);
  const users = new Set(people.filter((one) => typeof one === 'string' && one !== state.context.userId));
  return { text: JSON.stringify({ version, records, state }), users: [...users] as string[] };
}

export function historyOfArchived(sessionId: string, text: string): History {
  const { version, records, state } = JSON.parse(text) as Archived;
  return { sessionId, version, state, records: readRecords(records) };
}
