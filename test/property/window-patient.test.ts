/** Laws for every patient picture, in any number of parts. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  MAX_PICTURE_BYTES,
  mergePatient,
  type PatientPicture,
  patientFromChat,
  patientSchema,
  pictureOf,
  readPatient,
} from '../../src/conversation/patient/patient.ts';

const text = fc.stringMatching(/^[a-z]{1,12}( [a-z]{1,8}){0,4}$/);
const maybe = <T>(arbitrary: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> =>
  fc.option(arbitrary, { nil: undefined });

const sent = fc
  .record({
    age: maybe(fc.oneof(fc.integer({ min: 0, max: 120 }), fc.constantFrom('45y', '6 months'))),
    gender: maybe(text),
    chief_complaint: maybe(text),
    past_medical_history: maybe(fc.oneof(text, fc.array(text, { maxLength: 4 }))),
    vitals: maybe(
      fc
        .record({
          heart_rate: maybe(fc.integer({ min: 20, max: 250 })),
          spo2: maybe(fc.integer({ min: 50, max: 100 })),
          temperature: maybe(
            fc.constantFrom<string | { value: number; unit: string }>('38.5 C', { value: 99, unit: 'F' }),
          ),
          gcs: maybe(fc.integer({ min: 3, max: 15 })),
        })
        .map(withoutUndefined),
    ),
  })
  .map(withoutUndefined);

function withoutUndefined(record: object): object {
  return Object.fromEntries(Object.entries(record).filter(([, value]) => value !== undefined));
}

const picture: fc.Arbitrary<PatientPicture> = sent.map((update) => pictureOf(patientSchema.parse(update)));

/** Patient data of a chat client: readable, unreadable and unknown fields together. */
const chatPicture: fc.Arbitrary<PatientPicture> = fc
  .record({
    age: maybe(fc.constantFrom<unknown>(45, 'old', null)),
    gender: maybe(fc.constantFrom<unknown>('female', 7)),
    vitals: maybe(
      fc.oneof(
        fc.constant('stable'),
        fc
          .record({
            spo2: maybe(fc.constantFrom<unknown>(97, 0.9, 'low')),
            heart_rate: maybe(fc.constantFrom<unknown>(80, -5)),
            foo: maybe(fc.constantFrom(1, 2)),
          })
          .map(withoutUndefined),
      ),
    ),
  })
  .map((update) => patientFromChat(withoutUndefined(update)));
const either = fc.oneof(picture, chatPicture);

test('merging a patient picture is idempotent: a turn that runs twice leaves the same picture', () => {
  fc.assert(
    fc.property(either, either, (old, newer) => {
      const once = mergePatient(old, newer);
      expect(mergePatient(once, newer)).toEqual(once);
      expect(mergePatient(old, old)).toEqual(old);
      expect(mergePatient({}, old)).toEqual(old);
      expect(mergePatient(old, {})).toEqual(old);
    }),
  );
});

test('merging patient pictures is associative', () => {
  fc.assert(
    fc.property(either, either, either, (one, two, three) => {
      expect(mergePatient(mergePatient(one, two), three)).toEqual(
        mergePatient(one, mergePatient(two, three)),
      );
    }),
  );
});

test('a merge keeps every patient field that the newer data does not name', () => {
  fc.assert(
    fc.property(picture, picture, (old, newer) => {
      const merged = mergePatient(old, newer);
      if (newer.age === undefined) expect(merged.age).toEqual(old.age);
      if (newer.gender === undefined) expect(merged.gender).toEqual(old.gender);
      for (const [name, value] of Object.entries(old.vitals ?? {}))
        if (!Object.hasOwn(newer.vitals ?? {}, name)) expect(merged.vitals).toHaveProperty(name, value);
      expect(merged).toMatchObject(newer.vitals === undefined ? {} : { vitals: newer.vitals });
      const known = (merged.past_medical_history ?? []).map((entry) => entry.toLowerCase());
      for (const entry of [...(old.past_medical_history ?? []), ...(newer.past_medical_history ?? [])])
        expect(known).toContain(entry.toLowerCase());
      for (const complaint of [...(old.chief_complaints ?? []), ...(newer.chief_complaints ?? [])])
        expect(merged.chief_complaints).toContain(complaint);
      expect(merged.chief_complaints?.at(-1)).toBe(
        newer.chief_complaints?.at(-1) ?? old.chief_complaints?.at(-1),
      );
    }),
  );
});

test('any patient data of a chat client is accepted, bounded, and reads back unchanged from the store', () => {
  const anything = fc.dictionary(
    fc.string(),
    fc.anything().filter((value) => typeof value !== 'bigint'),
  );
  fc.assert(
    fc.property(
      fc.array(fc.oneof(sent, fc.json().map(parse), anything.map(asJson)), { maxLength: 8 }),
      (turns) => {
        let known: PatientPicture = {};
        for (const turn of turns) {
          known = mergePatient(known, patientFromChat(turn));
          expect(Buffer.byteLength(JSON.stringify(known))).toBeLessThanOrEqual(MAX_PICTURE_BYTES);
        }
        expect(readPatient(asJson(known))).toEqual(asJson(known));
      },
    ),
  );
});

function parse(json: string): unknown {
  return JSON.parse(json);
}

function asJson(value: unknown): unknown {
  try {
    return JSON.parse(JSON.stringify(value) ?? 'null');
  } catch {
    return null; // a bigint somewhere inside
  }
}

test('no patient field has both a value and a note, whatever chat clients send', () => {
  fc.assert(
    fc.property(fc.array(chatPicture, { maxLength: 6 }), (turns) => {
      const known = turns.reduce(mergePatient, {});
      const named = [
        ...Object.keys(known),
        ...Object.keys(known.vitals ?? {}).map((name) => `vitals.${name}`),
      ];
      const values = named.filter((name) => name !== 'vitals');
      expect(values.filter((name) => Object.hasOwn(known.other ?? {}, name))).toEqual([]);
    }),
  );
});
