/**
 * A record tells of one transition without a word of the conversation: what caused it, from where to where it led, what the
 * chart named on the way, and which instance stored it. A record is a short text in the store.
 *
 *  RECORD-1  A whole record names its version, time and owner. The records after it count on from it, so that most take
 *            some 80 bytes. The first record of a claim is whole, and so is every few of them: a store drops the oldest.
 *  RECORD-2  The short text is a stored format. Its fields keep their places; new ones go to the end of their list.
 */
import { MACHINE_VERSION } from '../../../machines/versions.ts';
import type { Taken } from '../machine/plan.ts';
import { type HistoryEvent, MIGRATES } from './history-event.ts';
import { events, names, states } from './words.ts';

export interface HistoryRecord {
  /** The version that the transition gave the session. */
  readonly version: number;
  readonly machineVersion: number;
  readonly at: number;
  readonly event: HistoryEvent;
  /** Innermost state before, such as `connected.fresh`; empty: the session began here. */
  readonly from: string;
  readonly to: string;
  /** The event's transition, then those without an event. */
  readonly taken: readonly Taken[];
  readonly instance: string;
  /** The claim under which the owner stored it. */
  readonly epoch: number;
  /** How long the event waited until the owner took it. */
  readonly waitedMs: number;
}

/** The place from which the next records count on. */
export type Anchor = Pick<HistoryRecord, 'version' | 'machineVersion' | 'at' | 'instance' | 'epoch'>;

const sender = { author: null, tenant: undefined } as const;
const numbers = { maxTokens: undefined, temperature: undefined } as const;

/** The fields of each event in their stored order, with the value that need not be stored. */
const FIELDS: Readonly<Record<string, Readonly<Record<string, unknown>>>> = {
  begin: {
    ...{ clientId: null, userId: null, diagnosisId: null, tenant: undefined, turnCount: undefined },
    isFork: undefined,
  },
  migrate: { fromMachineVersion: undefined },
  attach: {
    ...{ instance: undefined, userId: undefined, clientId: undefined, tenant: undefined },
    ...{ diagnosisId: undefined, isProven: undefined, isReturn: undefined },
  },
  detach: { instance: undefined, userId: undefined },
  message: {
    messageId: undefined,
    turnId: undefined,
    length: undefined,
    policy: 'queue',
    ...sender,
    ...numbers,
  },
  regenerate: {
    ...{ messageId: undefined, turnId: undefined, from: undefined, length: undefined, retracted: undefined },
    ...{ asker: undefined, isOneAuthor: undefined, isRepeat: undefined, ...sender, ...numbers },
  },
  fork: { messageId: undefined, sessionId: undefined, turnId: undefined, ...sender },
  share: { shareId: undefined, userId: undefined, access: undefined, expiresAt: undefined, ...sender },
  unshare: { shareId: undefined, ...sender },
  cancel: { turnId: undefined, messageId: undefined, ...sender },
  extend: sender,
  close: { reason: 'closed', erase: undefined, ...sender },
  summarised: { through: undefined, length: undefined },
  recover: {},
  'xstate.done.actor.generation': {
    ...{ replica: undefined, model: undefined, totalMs: undefined, firstTokenMs: null },
    ...{ promptTokens: undefined, completionTokens: undefined, finishReason: 'stop', simulated: false },
    cachedTokens: undefined,
  },
  'xstate.error.actor.generation': {
    ...{ code: undefined, retryable: undefined, replica: undefined, retryAfterMs: undefined },
    startsOver: undefined,
  },
};

/** Fields that hold true or false. */
const FLAGS: ReadonlySet<string> = new Set([
  ...['isProven', 'isReturn', 'isRepeat', 'isOneAuthor', 'erase', 'retryable', 'simulated', 'isFork'],
  'startsOver',
]);

const UUID_LENGTH = 36;
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;
const MARK = '~';
const PACKED = /^~[\w-]{22}$/;

/** An id in the usual form of 36 characters takes 23. */
function packed(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(packed);
  if (typeof value !== 'string') return typeof value === 'boolean' ? Number(value) : value;
  if (value.length === UUID_LENGTH && UUID.test(value))
    return MARK + Buffer.from(value.replaceAll('-', ''), 'hex').toString('base64url');
  return value.startsWith(MARK) ? MARK + value : value;
}

function unpacked(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(unpacked);
  if (typeof value !== 'string' || !value.startsWith(MARK)) return value;
  if (!PACKED.test(value)) return value.slice(MARK.length);
  const hex = Buffer.from(value.slice(MARK.length), 'base64url').toString('hex');
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}

/** In place of the usual value, and of none where one is usual. */
const USUAL = '[]';
const ABSENT = '{}';

/** Each commit writes a record: the lists of fields are taken apart once. */
const LISTS: ReadonlyMap<string, readonly (readonly [name: string, usual: unknown])[]> = new Map(
  Object.entries(FIELDS).map(([type, fields]) => [type, Object.entries(fields)]),
);

/** Without the usual values at the end. */
function writtenFields(event: HistoryEvent): string {
  let written = '';
  let usuals = '';
  for (const [name, usual] of LISTS.get(event.type) ?? []) {
    const value = event[name];
    if (value === usual) {
      usuals += `,${USUAL}`;
      continue;
    }
    written += `${usuals},${value === undefined ? ABSENT : JSON.stringify(packed(value))}`;
    usuals = '';
  }
  return written;
}

/** The chart has few paths, and every session takes them. */
const pathTexts = new WeakMap<Taken, string>();

function pathText(taken: Taken): string {
  let text = pathTexts.get(taken);
  if (text === undefined) {
    const { guard, actions } = taken;
    text = [...(guard === null ? [] : [`?${guard}`]), ...actions].map(names.shorten).join('');
    pathTexts.set(taken, text);
  }
  return text;
}

function readFields(type: string, values: readonly unknown[]): HistoryEvent {
  const event: Record<string, unknown> = { type };
  for (const [place, [name, usual]] of (LISTS.get(type) ?? []).entries()) {
    const stored = values[place];
    const value = stored === undefined || (Array.isArray(stored) && stored.length === 0) ? usual : stored;
    if (value === undefined || (typeof value === 'object' && value !== null && !Array.isArray(value)))
      continue;
    event[name] = FLAGS.has(name) && typeof value === 'number' ? value === 1 : unpacked(value);
  }
  return event as HistoryEvent;
}

/** `last` is the record before it, if this one may count on from it. */
function writeRecord(record: HistoryRecord, last: Anchor | null): string {
  const { version, at, event, from, to, taken, instance, epoch, waitedMs } = record;
  const path = taken.map(pathText).join(' ');
  const what = `${events.shorten(event.type)}${states.shorten(from)}${states.shorten(to)}${path}`;
  const head =
    last === null
      ? [version, record.machineVersion, at - epoch, instance, epoch, what]
      : [at - last.at, what];
  return `${JSON.stringify(head).slice(0, -1)},${waitedMs}${writtenFields(event)}]`;
}

/** Reads the records of a session in their order. Those before the first whole one have nothing to count on from. */
export function readRecords(texts: readonly string[]): readonly HistoryRecord[] {
  const records: HistoryRecord[] = [];
  let last: Anchor | null = null;
  for (const text of texts) {
    const record: HistoryRecord | null = readRecord(text, last);
    if (record === null) continue;
    records.push(record);
    last = record;
  }
  return records;
}

function readRecord(text: string, last: Anchor | null): HistoryRecord | null {
  const values = JSON.parse(text) as readonly unknown[];
  const isWhole = typeof values[1] === 'number';
  if (!isWhole && last === null) return null;
  const anchor = isWhole ? wholeAnchor(values) : counted(values, last as Anchor);
  const [what, waitedMs, ...fields] = values.slice(isWhole ? 5 : 1);
  const [path = '', ...others] = String(what).split(' ');
  // The names of event and states are in the same text as those of the first transition.
  const [type = '', rest] = firstWord(path, events);
  const [from = '', beyond] = firstWord(rest, states);
  const [to = '', first] = firstWord(beyond, states);
  // A migration is no transition; any other event takes one, even if it has neither guard nor action.
  const taken = type === MIGRATES ? [] : [first, ...others].map(takenIn);
  const event = readFields(type, fields);
  return { ...anchor, event, from, to, taken, waitedMs: Number(waitedMs) };
}

function wholeAnchor(values: readonly unknown[]): Anchor {
  const [version, machineVersion, age, instance, epoch] = values;
  const at = Number(epoch) + Number(age);
  return {
    ...{ version: Number(version), machineVersion: Number(machineVersion), at },
    ...{ instance: String(instance), epoch: Number(epoch) },
  };
}

function counted([age]: readonly unknown[], last: Anchor): Anchor {
  const { version, machineVersion, at, instance, epoch } = last;
  return { version: version + 1, machineVersion, at: at + Number(age), instance, epoch };
}

function firstWord(text: string, list: typeof events): readonly [string | undefined, string] {
  const [first = ''] = /^(?:<[^>]*>|.)/su.exec(text) ?? [];
  return [list.wordsOf(first)[0], text.slice(first.length)];
}

function takenIn(text: string): Taken {
  const words = names.wordsOf(text);
  const [first] = words;
  const guard = first?.startsWith('?') === true ? first.slice(1) : null;
  return { guard, actions: guard === null ? words : words.slice(1) };
}

/** One record of a session is whole for this many. */
const WHOLE_EVERY = 32;

/** Writes the records of one claim. */
export class HistoryRecorder {
  readonly #owner: Pick<HistoryRecord, 'instance' | 'epoch'>;
  readonly #wholeEvery: number;
  #last: Anchor | null = null;

  /** `max` is the number of records that the store keeps: half of them must reach back to a whole one. */
  constructor(owner: Pick<HistoryRecord, 'instance' | 'epoch'>, max: number) {
    this.#owner = owner;
    this.#wholeEvery = Math.max(1, Math.min(WHOLE_EVERY, Math.floor(max / 2)));
  }

  write(made: Omit<HistoryRecord, 'machineVersion' | 'instance' | 'epoch'>): string {
    const { instance, epoch } = this.#owner;
    const record: HistoryRecord = { ...made, machineVersion: MACHINE_VERSION, instance, epoch };
    const last = this.#last;
    const follows = last !== null && last.version === made.version - 1;
    return writeRecord(record, follows && made.version % this.#wholeEvery !== 0 ? last : null);
  }

  /** The store has the record with this version and time: the next one counts on from it. */
  stored(version: number, at: number): void {
    this.#last = { ...this.#owner, version, at, machineVersion: MACHINE_VERSION };
  }
}
