import { randomUUID } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { fhirBundle } from '../../../src/http/sessions/fhir.ts';
import type { TranscriptEntry } from '../../../src/store/contract.ts';
import { fhirProblems } from '../../support/documented.ts';

const NOW = Date.UTC(2026, 10, 21, 1, 2, 3);
const session = { sessionId: randomUUID(), userId: 'dr-a', diagnosisId: 'ICD-M25.5' };
const turn: readonly TranscriptEntry[] = [
  { role: 'user', content: 'chest pain', turnId: 't1', at: NOW, author: 'dr-b' },
  { role: 'assistant', content: '1. ECG\n2. Troponin', turnId: 't1', at: NOW + 5 },
];

/** The bundle with its entries made. */
function bundleOf(...args: Parameters<typeof fhirBundle>) {
  const { entry, ...rest } = fhirBundle(...args);
  return { ...rest, ...(entry === undefined ? {} : { entry: [...entry] }) };
}

describe('a conversation as FHIR R4', () => {
  test('a FHIR bundle has one communication per entry, with sender, time, diagnosis and what it answers', () => {
    const bundle = bundleOf(session, turn, NOW);
    expect(fhirProblems(bundle)).toEqual([]);
    const [question, answer] = bundle.entry!.map(({ resource }) => resource);
    expect(question).toMatchObject({
      status: 'completed',
      sender: { display: 'dr-b' },
      sent: '2026-11-21T01:02:03.000Z',
      about: [{ type: 'Condition', identifier: { value: 'ICD-M25.5' } }],
      payload: [{ contentString: 'chest pain' }],
    });
    expect(answer).toMatchObject({
      sender: { type: 'Device', display: 'Rehydra' },
      inResponseTo: [{ reference: bundle.entry![0]!.fullUrl }],
      payload: [{ contentString: '1. ECG\n2. Troponin' }],
    });
  });

  test('a FHIR bundle tags and notes the answers of the simulator, and no others, as test data', () => {
    const [asked, answered] = turn;
    const bundle = bundleOf(session, [asked!, { ...answered!, simulated: true }], NOW);
    expect(fhirProblems(bundle)).toEqual([]);
    const [question, answer] = bundle.entry!.map(({ resource }) => resource);
    expect(question).not.toHaveProperty('meta');
    expect(answer).toMatchObject({
      meta: { tag: [{ code: 'HTEST' }] },
      sender: { type: 'Device', display: 'Rehydra simulator' },
      note: [{ text: 'SIMULATED: this answer means nothing.' }],
    });
  });

  test('a FHIR bundle is valid without entries, user and diagnosis', () => {
    const bundle = bundleOf({ ...session, userId: null, diagnosisId: null }, [], NOW);
    expect(fhirProblems(bundle)).toEqual([]);
    expect(bundle).not.toHaveProperty('entry');
  });

  test('FHIR ids are the same at each download and unique within the bundle', () => {
    const ids = () => bundleOf(session, turn, NOW).entry!.map(({ resource }) => resource.id);
    expect(ids()).toEqual(ids());
    expect(new Set(ids()).size).toBe(2);
  });

  test('a FHIR bundle is valid for any text, author, diagnosis and turn id', () => {
    const text = fc.string({ unit: 'binary', maxLength: 40 });
    const entry = fc.record({
      role: fc.constantFrom('user' as const, 'assistant' as const),
      content: text,
      turnId: text,
      at: fc.integer({ min: 0, max: NOW }),
      author: text,
    });
    fc.assert(
      fc.property(fc.array(entry, { maxLength: 5 }), text, (entries, diagnosisId) => {
        expect(fhirProblems(bundleOf({ ...session, diagnosisId }, entries, NOW))).toEqual([]);
      }),
    );
  });

  test('the FHIR check of these tests refuses unknown elements, unknown types and empty lists', () => {
    const bundle = bundleOf(session, turn, NOW);
    expect(fhirProblems({ ...bundle, entries: [] })).toHaveLength(1);
    expect(fhirProblems({ ...bundle, type: 'pile' })).toHaveLength(1);
    expect(fhirProblems({ ...bundle, entry: [] })).toHaveLength(1);
  });
});
