/**
 * Converts a conversation to FHIR R4: a Bundle of Communication resources, one per transcript entry, in order.
 * https://hl7.org/fhir/R4/communication.html
 */

import { derivedUuid } from '../../protocol/derived-uuid.ts';
import type { TranscriptEntry } from '../../store/contract.ts';
import { lazily } from '../core/json-pieces.ts';

export interface FhirSession {
  readonly sessionId: string;
  readonly userId: string | null;
  readonly diagnosisId: string | null;
}

/** FHIR servers use this tag to keep test data apart from patient data. */
const TEST_DATA = {
  system: 'http://terminology.hl7.org/CodeSystem/v3-ActReason',
  code: 'HTEST',
  display: 'test health data',
};

/** Each entry is made when it is iterated: all of a long conversation together would hold the event loop. */
export function fhirBundle(session: FhirSession, entries: readonly TranscriptEntry[], now: number) {
  return {
    resourceType: 'Bundle',
    type: 'collection',
    identifier: { system: 'urn:ietf:rfc:3986', value: `urn:uuid:${session.sessionId}` },
    timestamp: new Date(now).toISOString(),
    // FHIR's JSON allows no empty lists.
    ...(entries.length === 0 ? {} : { entry: lazily(entries, (entry) => bundled(session, entry)) }),
  };
}

function bundled(session: FhirSession, entry: TranscriptEntry) {
  const id = idOf(session, entry.turnId, entry.role);
  const isQuestion = entry.role === 'user';
  const content = textOf(entry.content);
  const isSimulated = entry.simulated === true;
  const diagnosis = textOf(session.diagnosisId ?? '').trim();
  return {
    fullUrl: `urn:uuid:${id}`,
    resource: {
      resourceType: 'Communication',
      id,
      ...(isSimulated ? { meta: { tag: [TEST_DATA] } } : {}),
      status: 'completed',
      category: [{ text: isQuestion ? 'question' : 'answer' }],
      ...(diagnosis === '' ? {} : { about: [{ type: 'Condition', identifier: { value: diagnosis } }] }),
      sent: new Date(entry.at).toISOString(),
      sender: isQuestion
        ? { display: textOf(entry.author ?? session.userId ?? '').trim() || 'clinician' }
        : { type: 'Device', display: isSimulated ? 'Rehydra simulator' : 'Rehydra' },
      ...(content.trim() === '' ? {} : { payload: [{ contentString: content }] }),
      ...(isSimulated ? { note: [{ text: 'SIMULATED: this answer means nothing.' }] } : {}),
      ...(isQuestion
        ? {}
        : { inResponseTo: [{ reference: `urn:uuid:${idOf(session, entry.turnId, 'user')}` }] }),
    },
  };
}

/** The same at each download. Derived, because turn ids of migrated sessions may break FHIR's rules for ids. */
function idOf({ sessionId }: FhirSession, turnId: string, role: TranscriptEntry['role']): string {
  return derivedUuid('communication', sessionId, turnId, role);
}

/** FHIR forbids characters below 32 in strings, except tab and line breaks. */
function textOf(text: string): string {
  return text.replace(/(?![\t\n\r\x7f-\x9f])\p{Cc}/gu, '');
}
