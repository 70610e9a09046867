/**
 * The patient picture holds what a session knows of its patient, merged over its turns.
 *
 * PATIENT-1  A merge changes only the fields that the newer data names; other fields change only for the size limit.
 * PATIENT-2  A merge is idempotent: a turn that runs again after a crash leaves the same picture.
 * PATIENT-3  A field has a value or a note, never both: the newer replaces the older, readable or not. A blank field
 *            changes nothing.
 * PATIENT-4  A picture is plain JSON of at most MAX_PICTURE_BYTES, however long the conversation.
 */
import { z } from 'zod';
import { clip } from '../cut.ts';
import { ageInput, ageSchema } from './age.ts';
import { vitalsInput, vitalsSchema } from './vitals.ts';

export const MAX_PICTURE_BYTES = 16 * 1024;
/** The whole complaint is in the conversation; the picture keeps enough to recognise it. */
const KEPT_COMPLAINT_CHARS = 1_000;
const MAX_OTHER_CHARS = 500;
const MAX_OTHER_KEYS = 64;

const historyEntry = z.string().trim().min(1).max(500);

/** The patient fields of a request, for schemas that add other fields. */
export const patientFields = {
  age: ageInput.optional(),
  gender: z.string().trim().min(1).max(64).optional(),
  chief_complaint: z.string().trim().min(1).max(16_000).optional(),
  past_medical_history: z
    .union([z.string().trim().max(4_000), z.array(historyEntry).max(64)], {
      error: 'past_medical_history must be a text of at most 4000 characters or a list of at most 64 texts',
    })
    .optional(),
  vitals: vitalsInput.optional(),
};

export const patientSchema = z.strictObject(patientFields);
export type PatientUpdate = z.infer<typeof patientSchema>;

export const pictureSchema = z
  .strictObject({
    age: ageSchema.optional(),
    gender: z.string().optional(),
    /** Oldest first. */
    chief_complaints: z.array(z.string()).readonly().optional(),
    past_medical_history: z.array(z.string()).readonly().optional(),
    vitals: vitalsSchema.optional(),
    /** A chat client's own facts, and unreadable fields by their names (`vitals.spo2`). */
    other: z.record(z.string(), z.string()).readonly().optional(),
  })
  .readonly();
export type PatientPicture = z.infer<typeof pictureSchema>;

/** One turn's data as a picture, ready for a merge into the session's. */
export function pictureOf(update: PatientUpdate): PatientPicture {
  const { age, gender, chief_complaint, past_medical_history, vitals } = update;
  const history = typeof past_medical_history === 'string' ? [past_medical_history] : past_medical_history;
  return mergePatient(
    {},
    {
      ...(age === undefined ? {} : { age }),
      ...(gender === undefined ? {} : { gender }),
      ...(chief_complaint === undefined
        ? {}
        : { chief_complaints: [clip(chief_complaint, KEPT_COMPLAINT_CHARS)] }),
      ...(history === undefined ? {} : { past_medical_history: history.filter((entry) => entry !== '') }),
      ...(vitals === undefined ? {} : { vitals }),
    },
  );
}

/** Reads what a session stored; older sessions hold what a client sent. */
export function readPatient(stored: unknown): PatientPicture {
  const picture = pictureSchema.safeParse(stored);
  return picture.success ? withReadVitals(picture.data) : patientFromChat(stored);
}

/** Older versions stored vitals as one raw note if a single field was unreadable. */
function withReadVitals(picture: PatientPicture): PatientPicture {
  const { vitals: raw, ...other } = picture.other ?? {};
  const vitals = raw === undefined ? null : objectIn(parsedJson(raw));
  return vitals === null ? picture : mergePatient(vitalsFromChat(vitals), { ...picture, other });
}

/** Lenient, for chat clients: an unknown field, or a value that the API refuses, becomes a note. */
export function patientFromChat(sent: unknown): PatientPicture {
  const fields = objectIn(sent) ?? {};
  return eachField(fields, (key, value) => {
    if (key === 'vitals') return vitalsFromChat(value);
    const field = patientSchema.safeParse({ [key]: value });
    return field.success ? pictureOf(field.data) : noteOf(key, value);
  });
}

/** One field at a time: an unreadable field must not hide the others from the model. */
function vitalsFromChat(sent: unknown): PatientPicture {
  const fields = objectIn(typeof sent === 'string' ? parsedJson(sent) : sent);
  if (fields === null) return noteOf('vitals', sent);
  return eachField(fields, (name, value) => {
    const field = vitalsInput.safeParse({ [name]: value });
    return field.success ? pictureOf({ vitals: field.data }) : noteOf(`${VITALS}${name}`, value);
  });
}

type Fields = Readonly<Record<string, unknown>>;

function eachField(fields: Fields, read: (name: string, value: unknown) => PatientPicture): PatientPicture {
  return Object.entries(fields)
    .slice(0, MAX_OTHER_KEYS)
    .filter(([, value]) => value !== null && !(typeof value === 'string' && value.trim() === ''))
    .map(([name, value]) => read(name, value))
    .reduce(mergePatient, {});
}

function objectIn(sent: unknown): Fields | null {
  return typeof sent === 'object' && sent !== null && !Array.isArray(sent) ? (sent as Fields) : null;
}

function parsedJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

/** Whether a note of this name holds an unreadable value of an API field, rather than a fact without a field. */
export function isFieldName(name: string): boolean {
  const sign = name.startsWith(VITALS) ? name.slice(VITALS.length) : null;
  return sign === null ? Object.hasOwn(patientFields, name) : Object.hasOwn(vitalsInput.shape, sign);
}

const VITALS = 'vitals.';

function noteOf(key: string, value: unknown): PatientPicture {
  // Merges and parsers treat this name as an object's prototype: the note would vanish in one and not in the other.
  if (key === '__proto__') return {};
  const text = typeof value === 'string' ? value : (JSON.stringify(value) ?? '');
  return { other: Object.fromEntries([[clip(key, 128), clip(text, MAX_OTHER_CHARS)]]) };
}

export function mergePatient(old: PatientPicture, newer: PatientPicture): PatientPicture {
  return bounded(merged(old, newer));
}

function merged(old: PatientPicture, newer: PatientPicture): PatientPicture {
  const lists = {
    ...joined('chief_complaints', movedToEnd(old.chief_complaints, newer.chief_complaints)),
    ...joined('past_medical_history', union(old.past_medical_history, newer.past_medical_history)),
  };
  const { vitals: oldVitals = {}, other: oldNotes = {}, ...oldFields } = old;
  const { vitals: newVitals = {}, other: newNotes = {}, ...newFields } = newer;
  const noted = new Set(Object.keys(newNotes));
  const vitals = { ...without(oldVitals, noted, VITALS), ...newVitals };
  const other = { ...without(oldNotes, valueNames(newer)), ...newNotes };
  return {
    ...without(oldFields, noted),
    ...newFields,
    ...lists,
    ...(Object.keys(vitals).length === 0 ? {} : { vitals }),
    ...(Object.keys(other).length === 0 ? {} : { other }),
  };
}

/** For objects whose every field may be absent. */
function without<T extends object>(fields: T, names: ReadonlySet<string>, prefix = ''): T {
  const kept = Object.entries(fields).filter(([name]) => !names.has(`${prefix}${name}`));
  return Object.fromEntries(kept) as T;
}

/** The names of the notes that a picture makes obsolete. Lists only grow, so they make none obsolete. */
function valueNames({ age, gender, vitals = {}, other = {} }: PatientPicture): ReadonlySet<string> {
  const signs = Object.keys(vitals).map((name) => `${VITALS}${name}`);
  const hasVitals = signs.length > 0 || Object.keys(other).some((name) => name.startsWith(VITALS));
  return new Set([
    ...(age === undefined ? [] : ['age']),
    ...(gender === undefined ? [] : ['gender']),
    ...signs,
    // A single later sign replaces a text on all vitals.
    ...(hasVitals ? ['vitals'] : []),
  ]);
}

type List = readonly string[] | undefined;

function joined(field: 'chief_complaints' | 'past_medical_history', list: readonly string[]): PatientPicture {
  return list.length === 0 ? {} : { [field]: list };
}

/** The newest complaint comes last, even if the patient had it before. */
function movedToEnd(old: List = [], newer: List = []): readonly string[] {
  const added = [...new Set(newer)];
  return [...old.filter((entry) => !added.includes(entry)), ...added];
}

function union(old: List = [], newer: List = []): readonly string[] {
  const kept = new Map<string, string>();
  for (const entry of [...old, ...newer]) {
    const key = entry.trim().toLowerCase();
    if (!kept.has(key)) kept.set(key, entry);
  }
  return [...kept.values()];
}

function bounded(picture: PatientPicture): PatientPicture {
  let kept = picture;
  while (Buffer.byteLength(JSON.stringify(kept)) > MAX_PICTURE_BYTES) {
    const smaller = shortened(kept);
    if (smaller === null) return kept;
    kept = smaller;
  }
  return kept;
}

/** The oldest complaints go first: the conversation and its summary have them too. Then notes, then history. */
function shortened(picture: PatientPicture): PatientPicture | null {
  const { chief_complaints: complaints = [], past_medical_history: history = [], other = {} } = picture;
  if (complaints.length > 1) return { ...picture, chief_complaints: complaints.slice(1) };
  if (Object.keys(other).length > 0)
    return { ...picture, other: Object.fromEntries(Object.entries(other).slice(1)) };
  if (history.length > 1) return { ...picture, past_medical_history: history.slice(1) };
  const [entry = ''] = history;
  if (entry.length < 2) return null;
  return { ...picture, past_medical_history: [clip(entry, Math.floor(entry.length / 2))] };
}
