/** PatientDialog takes patient data, which goes to the model with the next message. */
import { byId } from '../elements.ts';
import type { PatientData } from '../live-conversation.ts';

const VITALS = ['heart_rate', 'blood_pressure', 'temperature', 'respiratory_rate', 'spo2'];

export function patientDialog(take: (patient: PatientData) => void): { open(): void } {
  const dialog = byId('patient-dialog', HTMLDialogElement);
  const form = byId('patient-form', HTMLFormElement);
  form.onsubmit = (event) => {
    event.preventDefault();
    const patient = patientIn(new FormData(form));
    dialog.close();
    if (Object.keys(patient).length > 0) take(patient);
  };
  byId('patient-cancel', HTMLButtonElement).onclick = () => dialog.close();
  return { open: () => dialog.showModal() };
}

/** Leaves out empty fields: they would change nothing. */
function patientIn(data: FormData): PatientData {
  const textOf = (name: string): string => String(data.get(name) ?? '').trim();
  const entries = (names: readonly string[]) =>
    names.map((name) => [name, textOf(name)] as const).filter(([, text]) => text !== '');
  const history = textOf('past_medical_history')
    .split('\n')
    .filter((line) => line.trim() !== '');
  const vitals = Object.fromEntries(entries(VITALS));
  return {
    ...Object.fromEntries(entries(['age', 'gender', 'chief_complaint'])),
    ...(history.length === 0 ? {} : { past_medical_history: history }),
    ...(Object.keys(vitals).length === 0 ? {} : { vitals }),
  };
}
