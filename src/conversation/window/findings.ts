/**
 * Scores how much a turn matters when room is short, by kinds of clinical findings in its question.
 *
 * Answers do not count: they are full of doses and diagnoses that are merely considered, and would pin every turn.
 * The heuristic knows English; what it misses is in the patient picture if the client sent it as data.
 */
interface Kind {
  readonly weight: number;
  readonly signs: RegExp;
}

const KINDS: readonly Kind[] = [
  // to forget one of these can kill
  { weight: 4, signs: /\b(?:allerg\w*|anaphyla\w*|intoleran\w*|contraindicat\w*|adverse reaction)\b/i },
  { weight: 3, signs: /\b(?:pregnan\w*|breast-?feeding|lactating|transplant\w*|immunosuppress\w*)\b/i },
  // medication: by class, by ending, by the word around it
  {
    weight: 2,
    signs:
      /\b(?:medicat\w*|prescri\w*|takes|taking|started on|insulin|warfarin|heparin|aspirin|antibiotics?|anticoag\w*|steroids?|metformin|opioids?|nitroglycerin|norepinephrine|\w{3,}(?:cillin|mycin|floxacin|pril|sartan|statin|olol|azole|dipine|xaban|gliptin|parin|triptan|azepam))\b/i,
  },
  // diagnoses: the frequent ones by name, the others by ending
  {
    weight: 2,
    signs:
      /\b(?:diagnos\w*|history of|known|diabet\w*|hypertens\w*|asthma|copd|cancer|stroke|seizures?|epileps\w*|sepsis|septic|pneumonia|infarct\w*|failure|fracture\w*|embol\w*|dementia|hiv|\w{3,}(?:itis|emia|aemia|oma|osis|pathy|ectomy|plasty))\b/i,
  },
  // values: a number with a unit, a pressure, a named measurement followed by a number
  {
    weight: 2,
    signs:
      /\b\d+(?:[.,]\d+)?\s?(?:mg|mcg|µg|g|kg|lbs?|ml|l|mmol|mmhg|mg\/dl|mmol\/l|meq\/l|ng\/ml|g\/dl|iu|units?|bpm|cm|°?c|°?f)\b|\d\s?%|\b\d{2,3}\/\d{2,3}\b/i,
  },
  {
    weight: 2,
    signs:
      /\b(?:bp|hr|rr|spo2|sats?|gcs|temp(?:erature)?|lactate|troponin|hba1c|glucose|creatinine|potassium|sodium|h(?:a)?emoglobin|inr|crp|wbc|ph)\b\D{0,12}\d/i,
  },
  // results
  {
    weight: 1,
    signs:
      /\b(?:x-?ray|ecg|ekg|ct|mri|ultrasound|echo|cultures?|biopsy|scan|labs?)\b.{0,40}\b(?:shows?|showed|positive|negative|normal|abnormal|reveal\w*|elevat\w*|infiltrat\w*)\b/i,
  },
];

/** A turn is pinned from this score on: one finding of weight, or several results. */
export const PINNED_FROM = 2;

/** A turn may be a whole report: the patterns read this much of it. */
const READ_CHARS = 8_000;

export function findingsScore(question: string): number {
  const read = question.slice(0, READ_CHARS);
  return KINDS.reduce((sum, { weight, signs }) => sum + (signs.test(read) ? weight : 0), 0);
}
