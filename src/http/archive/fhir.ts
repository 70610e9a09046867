/**
 * A conversation as FHIR R4: a Bundle of Communication resources, one per thing said, in order.
 * https://hl7.org/fhir/R4/communication.html
 */
import type { TranscriptEntry } from '../../store/contract.ts';
import { derivedUuid } from '../turns/derived-id.ts';

export interface FhirSession {
  readonly sessionId: string;
  readonly userId: string | null;
  readonly diagnosisId: string | null;
}

/** The tag with which FHIR servers tell test data from a patient's. */
const TEST_DATA = {
  system: 'http://terminology.hl7.org/CodeSystem/v3-ActReason',
  code: 'HTEST',
  display: 'test health data',
};

export function fhirBundle(session: FhirSession, entries: readonly TranscriptEntry[], now: number) {
  return {
    resourceType: 'Bundle',
    type: 'collection',
    identifier: { system: 'urn:ietf:rfc:3986', value: `urn:uuid:${session.sessionId}` },
    timestamp: new Date(now).toISOString(),
    // JSON of FHIR knows no empty lists.
    ...(entries.length === 0 ? {} : { entry: entries.map((entry) => bundled(session, entry)) }),
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

/** The same at each download. Turn ids of sessions that were moved in need not be ones that FHIR allows. */
function idOf({ sessionId }: FhirSession, turnId: string, role: TranscriptEntry['role']): string {
  return derivedUuid('communication', sessionId, turnId, role);
}

/** FHIR's strings have no characters below 32 but tab and line breaks, and are never empty. */
function textOf(text: string): string {
  return text.replace(/(?![\t\n\r\x7f-\x9f])\p{Cc}/gu, '');
}
