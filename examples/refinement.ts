/** Use case 3 of the guide: each answer adjusts the protocol to the patient’s response. */
import { converse } from './conversation.ts';

await converse('Protocol refinement', [
  {
    words: 'Septic patient, started on broad spectrum antibiotics 2 hours ago',
    data: { chief_complaint: 'sepsis, broad spectrum antibiotics started 2 hours ago' },
  },
  {
    words: 'Lactate still 4.5 after 2L fluids, BP 85/50',
    data: { chief_complaint: 'lactate still 4.5 after 2 L of fluids', vitals: { blood_pressure: '85/50' } },
  },
  {
    words: 'Blood cultures positive for E. coli',
    data: { chief_complaint: 'blood cultures positive for E. coli' },
  },
]);
