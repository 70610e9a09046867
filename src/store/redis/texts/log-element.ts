/**
 * Writes and reads the elements of a log in Redis: one per frame. The place in the log gives the offset, and the first
 * character the form of the element. After a line feed follows aux.
 *
 *  ELEMENT-1  What is read equals what was written, byte for byte.
 *  ELEMENT-2  A delta that follows another one of the same turn and claim may be stored without both: most of a log is
 *             deltas, and both together are four times as long as their text.
 *  ELEMENT-3  Such a short delta never stands at a multiple of PER_READ, so a reader that begins at one finds the turn.
 *  ELEMENT-4  Such a short delta is never the first element of a log. `frames.lua` sees to that when it trims, and when
 *             the log of a running turn is gone.
 */
import type { StoredFrame } from '../../contract.ts';
import { storedFrame } from '../../log.ts';
import { lengthen, type PhraseBook, phraseBook, quoted, shorten, unquoted } from './phrases.ts';

const AUX = '\n';
/** The claim and the turn of a delta; its text follows. `frames.lua` knows this mark and the next one. */
const TURN = '\u0001';
/** The text of a delta. */
const TEXT = '\u0002';
const PER_READ = 16;

/** The id of the turn that the frame named before; no book has this mark. */
const SAME_TURN = '\u001e';
const TURN_ID = ',"turn_id":"';
const TEXT_FIELD = '","text":"';
const DELTA_END = '"}';
const DELTA_END_MARK = '\u0003';
const SIMULATED_END = '","simulated":true}';
const SIMULATED_END_MARK = '\u0004';
const IDS = '{"ids":[';
const IDS_MARK = '\u0005';
const IDS_END = ']}';

interface Form {
  readonly type: string;
  readonly mark: string;
  readonly book: PhraseBook;
}

/** The other frames of a plain turn. Every other type is rare. */
const FORMS: readonly Form[] = [
  { type: 'state', mark: '\u0003', book: phraseBook(',"value":"', '","version":') },
  {
    type: 'turn.started',
    mark: '\u0004',
    book: phraseBook(TURN_ID, '","message_id":"', '","queued":0,"content":"'),
  },
  {
    type: 'turn.completed',
    mark: '\u0005',
    book: phraseBook(
      TURN_ID,
      '","message_id":"',
      '","finish_reason":"stop","usage":{"prompt_tokens":',
      ',"completion_tokens":',
      '},"metadata":{"inference_time_ms":',
      ',"time_to_first_token_ms":',
      ',"model":"',
      '","temperature":',
      ',"max_tokens":',
      ',"conversation_count":',
      ',"replica":"',
      '","resumed":',
      ',"simulated":true',
      ',"completed_at":',
      ',"window":{"strategy":"',
      '","budget_tokens":',
      ',"prompt_tokens":',
      ',"counted_by":"',
      '","turns_in":["',
      '"],"turns_out":[],"turns_summarised":[],"turns_in_count":',
      ',"turns_out_count":0,"turns_summarised_count":0}}}',
    ),
  },
];
const FORM_OF_TYPE = new Map(FORMS.map((form) => [form.type, form]));
const FORM_OF_MARK = new Map(FORMS.map((form) => [form.mark, form]));

/** The delta at the end of what was written: a next one may leave its turn out. */
export interface LastDelta {
  readonly offset: number;
  readonly turn: string;
}

export interface Elements {
  readonly elements: readonly string[];
  readonly last: LastDelta | null;
}

/** `before` is the frame that the log has before the first of `frames`, if it is a delta of this writer. */
export function elementsOf(frames: readonly StoredFrame[], before: LastDelta | null = null): Elements {
  let last = before;
  const elements = frames.map((frame) => {
    const { offset, type, data, aux } = frame;
    const odd = quoted(data);
    const delta = odd === null && type === 'delta' ? deltaOf(frame) : null;
    let text: string;
    if (delta === null) {
      text = odd ?? formed(frame);
      last = null;
    } else {
      const follows = last?.offset === offset - 1 && last.turn === delta.turn && offset % PER_READ !== 0;
      text = follows ? TEXT + delta.text : TURN + delta.turn + TEXT + delta.text;
      last = { offset, turn: delta.turn };
    }
    return aux === undefined ? text : text + AUX + shortAux(aux);
  });
  return { elements, last };
}

/** The offset at which to read so that every frame from `offset` on can be told. */
export function readingFrom(offset: number): number {
  return Math.max(1, offset - (offset % PER_READ));
}

/** Elements before the first whole one cannot be told. */
export function isWhole(element: string): boolean {
  return !element.startsWith(TEXT);
}

/** The frames of consecutive elements; `first` is the offset of the first one. */
export function framesOf(first: number, elements: readonly string[]): readonly StoredFrame[] {
  let turn: string | null = null;
  return elements.map((element, index) => {
    const offset = first + index;
    const end = element.indexOf(AUX);
    const text = end < 0 ? element : element.slice(0, end);
    const aux = end < 0 ? undefined : longAux(element.slice(end + 1));
    if (text.startsWith(TURN)) turn = text.slice(1, text.indexOf(TEXT));
    else if (!text.startsWith(TEXT)) turn = null;
    const data =
      turn === null
        ? (unquoted(text) ?? unformed(offset, text))
        : dataOfDelta(offset, turn, text.slice(text.indexOf(TEXT) + 1));
    return storedFrame(offset, data, aux);
  });
}

function deltaOf({
  offset,
  epoch,
  data,
}: StoredFrame): { readonly turn: string; readonly text: string } | null {
  const start = `${placeOf('delta', offset)}${epoch}${TURN_ID}`;
  if (!data.startsWith(start)) return null;
  const at = data.indexOf(TEXT_FIELD, start.length);
  if (at < 0) return null;
  const turn = `${epoch} ${data.slice(start.length, at)}`;
  const from = at + TEXT_FIELD.length;
  const text = data.slice(from);
  if (text.endsWith(SIMULATED_END))
    return { turn, text: text.slice(0, -SIMULATED_END.length) + SIMULATED_END_MARK };
  if (text.endsWith(DELTA_END)) return { turn, text: text.slice(0, -DELTA_END.length) + DELTA_END_MARK };
  return { turn, text };
}

function dataOfDelta(offset: number, turn: string, text: string): string {
  const space = turn.indexOf(' ');
  const start = `${placeOf('delta', offset)}${turn.slice(0, space)}${TURN_ID}${turn.slice(space + 1)}${TEXT_FIELD}`;
  if (text.endsWith(SIMULATED_END_MARK)) return start + text.slice(0, -1) + SIMULATED_END;
  if (text.endsWith(DELTA_END_MARK)) return start + text.slice(0, -1) + DELTA_END;
  return start + text;
}

function formed({ offset, type, data }: StoredFrame): string {
  const form = FORM_OF_TYPE.get(type);
  if (form === undefined) return data;
  const place = placeOf(type, offset);
  if (!data.startsWith(place)) return data;
  const rest = data.slice(place.length);
  const turn = turnOf(rest);
  // After its own field, since that one names it to the reader.
  const again = turn === null ? -1 : rest.indexOf(turn.id, turn.end);
  const once =
    turn === null || again < 0 ? rest : rest.slice(0, again) + SAME_TURN + rest.slice(again + turn.id.length);
  return form.mark + shorten(form.book, once);
}

function unformed(offset: number, text: string): string {
  const form = FORM_OF_MARK.get(text.charAt(0));
  if (form === undefined) return text;
  const once = lengthen(form.book, text.slice(1));
  const turn = turnOf(once);
  return placeOf(form.type, offset) + (turn === null ? once : once.replace(SAME_TURN, () => turn.id));
}

/** The turn's id in a frame, and where it ends there. */
function turnOf(rest: string): { readonly id: string; readonly end: number } | null {
  const field = rest.indexOf(TURN_ID);
  if (field < 0) return null;
  const start = field + TURN_ID.length;
  const end = rest.indexOf('"', start);
  return end > start ? { id: rest.slice(start, end), end } : null;
}

function placeOf(type: string, offset: number): string {
  return `{"type":"${type}","offset":${offset},"epoch":`;
}

function shortAux(aux: string): string {
  if (aux.startsWith(IDS) && aux.endsWith(IDS_END)) return IDS_MARK + aux.slice(IDS.length, -IDS_END.length);
  return quoted(aux) ?? aux;
}

function longAux(aux: string): string {
  return aux.startsWith(IDS_MARK) ? IDS + aux.slice(1) + IDS_END : (unquoted(aux) ?? aux);
}
