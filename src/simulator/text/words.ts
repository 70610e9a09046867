/**
 * The raw material of the vocabulary. Token ids are positions in these lists, so the order is part of the
 * simulator's wire format: append, never insert, or ids stored by one process mean other words in the next.
 */

/** Whole pieces: punctuation with its white space, symbols of more than one byte, list bullets. */
export const GLUE: readonly string[] = [
  '. ',
  ', ',
  ': ',
  '; ',
  '? ',
  '! ',
  '\n\n',
  '.\n',
  '\n- ',
  '\n',
  ' (',
  ') ',
  ' – ',
  ' — ',
  '°C',
  ' µg',
  ' ≥ ',
  ' ≤ ',
  '🩺',
  ' ✓',
  '…',
  'é',
  'ü',
  'ö',
  'ä',
  ' 1',
  ' 2',
  ' 3',
  ' 4',
  ' 5',
  '10',
  '12',
  '20',
  '24',
  '38',
  '50',
  '80',
  '100',
  '120',
  '000',
  ' mg',
  ' ml',
  '/80',
  '%',
  ' %',
  "'s",
  "n't",
  '  ',
  '    ',
  '**',
  '1.',
  '2.',
  '3.',
  '. You',
  '. I',
];

/** Syllables: they make an unknown word cost a few tokens, not one per byte, and put cuts inside words. */
export const FRAGMENTS: readonly string[] = `
  th er on an re he in ed nd ha at en es of or nt ea ti to it st io le is ou ar as de rt ve al ro ic ta ch ph ll us
  ri om il la el ma si ce co me li ne ra ur ec ho tr et no lo pa ac di un na pe so su ca be ge ir ss ow ab po mi em
  ing ion ent ter est ers ati hat ate all eth hes ver his oft ith fth sth oth res ont per ers com pro ous ive ble
  tion ment ness able ance ence hyper hypo tachy brady cardi card itis osis emia uria pathy logy gram scope tens
  pulm neuro gastr hepat nephr derm arth myo oste hem vas pneu resp sis ine ol ide ase ome one ene ish ful less
  ly ry ty cy gy my ny py sy by dy ky pre post anti inter trans sub over under out
`
  .trim()
  .split(/\s+/);

/** Words, each with four pieces: bare, with a leading space, capitalised, capitalised with a leading space. */
export const WORDS: readonly string[] = `
  a able about above acute adult advise after again age ago air all allergies allergy almost also always am an and
  angina ankle anxiety any appetite are arm artery as ask aspirin assess asthma at attack away back bad balance bed
  been before began begin below better between bleeding blood body both bowel breath breathing but by call came can
  cancer care careful carefully cause change changes check chest child chills chronic clear clinic cold colour
  come common complaint condition consider continue cough could course current daily dark day days deep describe
  diabetes diabetic diagnosis diet did difference difficult dizziness dizzy do doctor does dose down drink dry
  during each ear earlier early eat effect eight either elevated emergency enough even evening ever every exam
  example exercise eye eyes face family fast fatigue feel feeling female fever few first five fluid fluids follow
  food foot for four from full further gave get getting give given go good had hand has have he head headache
  health heart heavy help her here high his history hold home hospital hour hours how hurt hypertension hour i if
  immediate in infection information insulin intake is it its itching joint just keep kidney kind knee know known
  lab last later left leg less let level levels like list little liver local long look loss low lower lung made
  mail main make male many may me measure medical medication medications medicine meal message metformin mild
  minute minutes moderate monitor month months more morning most much muscle my nausea near neck need never new
  next night no normal not note noted now number numb numbness nurse of off often old on once one only onset or
  other our out over own oxygen pain painful pale past patient people pill plan please pneumonia possible
  pressure problem protocol provide pulse put question quickly quiet radiating rash rate rather raised reach
  record reduce regular relief report reports rest result results review right risk said same saturation say see
  sensitive serious seven severe severity she short shortness should shoulder show side sign signs since sit six
  skin sleep slight slow slowly smoke smoking so some something sore spoke stable start started stay still stomach
  stop stroke such sudden suddenly sugar summary supply support sure surgery swallow sweating swelling symptom
  symptoms take taken taking talk tell temperature ten test tests than that the their them then there therefore
  these they thing think third this those three throat through time tired to today told took treat treatment triage
  trouble two type under unit until up upper urgent urine use usual usually very vision vital vitals vomiting wait
  walk want warm was watch water we weak weakness week weeks weight well went were what when where which while who
  will with within without work worse worsening would year years yes yesterday yet you young your
  hello again number message question answer tell sky blue red green cat dog name alpha beta gamma delta
`
  .trim()
  .split(/\s+/);
