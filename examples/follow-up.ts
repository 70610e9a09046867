/** Use case 1 of the guide: each question builds on the answer before it. */
import { converse } from './conversation.ts';

await converse('Follow-up questions', [
  {
    words: '60 year old male with fever and cough for 3 days',
    data: { age: 60, gender: 'male', chief_complaint: 'fever and cough for 3 days' },
  },
  {
    words: 'Chest X-ray shows bilateral infiltrates',
    data: { chief_complaint: 'Chest X-ray shows bilateral infiltrates' },
  },
  {
    words: 'Patient is hypoxic, SpO2 88% on room air',
    data: { chief_complaint: 'Patient is hypoxic on room air', vitals: { spo2: '88 %' } },
  },
]);
