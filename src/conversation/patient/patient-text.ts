/** Puts the patient picture into words: for the model, for the API's answer, and for a turn that brings data. */
import type { SessionContext, SessionEvent } from '../../../machines/vocabulary.ts';
import { clip } from '../cut.ts';
import type { Measure } from './measure.ts';
import { isFieldName, mergePatient, type PatientPicture, readPatient } from './patient.ts';
import type { Vitals } from './vitals.ts';

const LABELS = {
  heart_rate: 'heart rate',
  blood_pressure: 'blood pressure',
  respiratory_rate: 'respiratory rate',
  temperature: 'temperature',
  spo2: 'SpO2',
  weight: 'weight',
  height: 'height',
  gcs: 'GCS',
  other: 'also',
} as const satisfies Record<keyof Vitals, string>;

/** Older complaints are in the summary, or left the window with their turns. */
const LATER_COMPLAINTS_MAX = 8;
const LATER_COMPLAINT_CHARS = 200;

/**
 * The event with the merged patient picture; a message of data alone gets a question in words. The actor calls this when
 * it takes the event, so that the picture holds all earlier data.
 */
export function withPatientPicture(event: SessionEvent, context: SessionContext): SessionEvent {
  if ((event.type !== 'message' && event.type !== 'attach') || event.patient === undefined) return event;
  const known = readPatient(context.patient);
  const news = readPatient(event.patient);
  if (event.type === 'attach') {
    // A client repeats its hello at each reconnect: first data must not overwrite later data.
    const patient = event.addsOnly === true ? mergePatient(news, known) : mergePatient(known, news);
    return { ...event, patient };
  }
  return {
    ...event,
    patient: mergePatient(known, news),
    content: event.content === '' ? questionOf(news, context.turnCount > 0) : event.content,
  };
}

/**
 * One block for the system message; '' if nothing is known. Of the later complaints it has only those that `questions`
 * lack: a block that grew with each turn would spoil the server's prefix cache each time.
 */
export function formatPatient(picture: PatientPicture, questions: readonly string[] = []): string {
  const [first, ...later] = picture.chief_complaints ?? [];
  const unsaid = later
    .filter((complaint) => !questions.some((text) => text.includes(complaint)))
    .slice(-LATER_COMPLAINTS_MAX)
    .map((complaint) => oneLine(clip(complaint, LATER_COMPLAINT_CHARS)));
  const lines = [
    ...factsOf(picture),
    ...(first === undefined ? [] : [`Presenting complaint: ${oneLine(first)}`]),
    ...(unsaid.length === 0 ? [] : [`Later complaints: ${unsaid.join('; ')}`]),
  ];
  return lines.length === 0 ? '' : ['Patient:', ...lines.map((line) => `- ${line}`)].join('\n');
}

/** The question of a turn that came as data: the complaint, and in a follow-up the other new facts. */
export function questionOf(update: PatientPicture, isFollowUp: boolean): string {
  const complaint = update.chief_complaints?.at(-1);
  const facts = factsOf(update);
  if (!isFollowUp || facts.length === 0)
    return complaint ?? 'Which protocol do you recommend for this patient?';
  return [complaint ?? 'There is new data on the patient.', ...facts].join('\n');
}

function factsOf(picture: PatientPicture): readonly string[] {
  const { age, gender, past_medical_history: history = [], vitals, other = {} } = picture;
  const signs = vitals === undefined ? '' : vitalsText(vitals);
  return [
    ...(age === undefined ? [] : [`Age: ${ageText(age.given)}`]),
    ...(gender === undefined ? [] : [`Gender: ${oneLine(gender)}`]),
    ...(history.length === 0 ? [] : [`Past medical history: ${history.map(oneLine).join('; ')}`]),
    ...(signs === '' ? [] : [`Vitals: ${signs}`]),
    ...Object.entries(other).map(([key, text]) => `${noteLabel(key)}: ${oneLine(text)}`),
  ];
}

/** Marks a refused value, so that the model does not take it for a measured one. */
function noteLabel(name: string): string {
  return isFieldName(name) ? `${name} (unusable value, as sent)` : oneLine(name);
}

function ageText(given: number | string): string {
  return /^\s*\d+(?:[.,]\d+)?\s*$/.test(String(given)) ? `${given} years` : oneLine(String(given));
}

function vitalsText(vitals: Vitals): string {
  const names = Object.keys(LABELS) as readonly (keyof Vitals)[];
  return names
    .flatMap((name) => {
      const value = vitals[name];
      return value === undefined ? [] : [`${LABELS[name]} ${valueText(value)}`];
    })
    .join(', ');
}

function valueText(value: NonNullable<Vitals[keyof Vitals]>): string {
  if (typeof value === 'string') return oneLine(value);
  if ('systolic' in value) return `${value.systolic}/${value.diastolic ?? 'P'} mmHg`;
  const unit = value.unit === 'C' ? '°C' : value.unit;
  const metric = unit === 'points' ? `${value.value}` : `${value.value}${glue(unit)}${unit}`;
  return wasConverted(value) ? `${metric} (given as ${givenText(value)})` : metric;
}

const glue = (unit: string): string => (unit.startsWith('/') ? '' : ' ');

function wasConverted({ given, value }: Measure): boolean {
  const sent = typeof given === 'object' ? given.value : Number.parseFloat(String(given).replace(',', '.'));
  return Math.abs(sent - value) > 0.01;
}

function givenText({ given }: Measure): string {
  return oneLine(typeof given === 'object' ? `${given.value} ${given.unit}` : String(given));
}

/** A field with line breaks could pass for lines of the block or of the system prompt. */
function oneLine(text: string): string {
  return text.replace(/\s+/g, ' ').trim();
}

/** `patient_summary` of the API: the values in the words and shapes of the request. */
export function summaryOf(picture: PatientPicture): Readonly<Record<string, unknown>> {
  const { age, gender, chief_complaints = [], past_medical_history: history = [], vitals, other } = picture;
  return {
    age: age?.given ?? null,
    gender: gender ?? null,
    chief_complaint: chief_complaints.at(-1) ?? null,
    ...(chief_complaints.length > 1 ? { earlier_complaints: chief_complaints.slice(0, -1) } : {}),
    vitals: vitals === undefined ? null : Object.fromEntries(Object.entries(vitals).flatMap(asGiven)),
    past_medical_history: history.length === 0 ? null : history.join('; '),
    ...(other === undefined ? {} : { other }),
  };
}

function asGiven([name, value]: [string, Vitals[keyof Vitals]]): readonly [string, unknown][] {
  if (value === undefined) return [];
  return [[name, typeof value === 'string' ? value : value.given]];
}
