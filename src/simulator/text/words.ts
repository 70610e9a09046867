/**
 * The words of the simulator: the pieces of its vocabulary, and the sentences of its answers.
 *
 * Token ids are positions in GLUE, FRAGMENTS and WORDS, so their order is part of the simulator's wire format: append,
 * never insert. Otherwise ids that one process stored mean other words in the next process.
 */

/** Punctuation with its white space, symbols of more than one byte, list bullets. */
export const GLUE: readonly string[] = (
  '. |, |: |; |? |! |\n\n|.\n|\n- |\n| (|) | – | — |°C| µg| ≥ | ≤ |🩺| ✓|…|é|ü|ö|ä| 1| 2| 3| 4| 5|' +
  "10|12|20|24|38|50|80|100|120|000| mg| ml|/80|%| %|'s|n't|  |    |**|1.|2.|3.|. You|. I"
).split('|');

/** Syllables make an unknown word cost a few tokens, not one per byte, and put cuts inside words. */
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

/** Sentences that sound like a consultation and contain the characters that break joins. */
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

/** Separators between two phrases. */
export const JOINTS: readonly string[] = [' ', ' ', ' ', '\n\n', '\n- ', '  ', '\n'];

/** The answer names each of these findings that a user message contains. */
export const FINDINGS: readonly string[] = (
  'chest pain|shortness of breath|diabetes|hypertension|fever|headache|cough|nausea|dizziness|' +
  'asthma|allergy|pregnant|stroke|fatigue|rash|sweating|vomiting|abdominal pain'
).split('|');
