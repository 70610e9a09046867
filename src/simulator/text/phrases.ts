/** Filler for answers: sentences that sound like a consultation and carry the characters that break joins. */
export const PHRASES: readonly string[] = [
  'Please rest and keep your fluid intake up.',
  'Watch your temperature: above 38.5 °C call the clinic 🩺.',
  'If the pain is radiating to the left arm or jaw, go to emergency care immediately.',
  'A normal blood pressure is about 120/80 mmHg.',
  'Take 500 mg with food, not more than 3 times daily.',
  'I would check oxygen saturation (SpO₂ ≥ 94 %) and heart rate first.',
  'Tachycardia, hypotension or confusion would be warning signs.',
  'Do not stop your medication without talking to your doctor.',
  'The symptoms may be mild in the morning and worse at night.',
  'Ask the patient about allergies – aspirin, penicillin, latex.',
  'An electrocardiogram and troponin tests would be the next step.',
  'Sudden weakness of the face or arm is a stroke until shown otherwise ⚠️.',
  'Measure the glucose level before and after each meal.',
  'Shortness of breath at rest … is never to be ignored.',
  'The family said „es geht ihm besser“, which is good news.',
  'Note the onset, the severity and what gives relief.',
  'Levothyroxine is given in µg, never in mg.',
  'A naïve reading of one result is risky; repeat the test.',
  'We will review the results together in 24 hours 👩🏽‍⚕️.',
  'Pneumonia should be considered with fever, cough and chills.',
];

/** What stands between two phrases. */
export const JOINTS: readonly string[] = [' ', ' ', ' ', '\n\n', '\n- ', '  ', '\n'];

/** Findings that the answer names wherever a user message contains them. */
export const FINDINGS: readonly string[] = [
  'chest pain',
  'shortness of breath',
  'diabetes',
  'hypertension',
  'fever',
  'headache',
  'cough',
  'nausea',
  'dizziness',
  'asthma',
  'allergy',
  'pregnant',
  'stroke',
  'fatigue',
  'rash',
  'sweating',
  'vomiting',
  'abdominal pain',
];
