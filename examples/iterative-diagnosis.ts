/** Use case 2 of the guide: each turn adds to the patient’s data, and each answer uses all of it. */
import { converse } from './conversation.ts';

await converse('Iterative diagnosis', [
  { words: 'Patient with chest pain', data: { chief_complaint: 'chest pain' } },
  {
    words: '45 year old male, BP 140/90, crushing substernal pain radiating to left arm',
    data: {
      age: 45,
      gender: 'male',
      vitals: { blood_pressure: '140/90' },
      chief_complaint: 'crushing substernal pain radiating to left arm',
    },
  },
  {
    words: 'Also has diabetes and hypertension',
    data: {
      chief_complaint: 'patient also has diabetes and hypertension',
      past_medical_history: ['diabetes', 'hypertension'],
    },
  },
]);
