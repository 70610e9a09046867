/** Vital signs and ages as people write them: each row pairs a client's text with the stored value. */
import { describe, expect, test } from 'vitest';
import { patientSchema, pictureOf } from '../../../src/conversation/patient/patient.ts';
import { formatPatient } from '../../../src/conversation/patient/patient-text.ts';

const kept = (sent: unknown) => pictureOf(patientSchema.parse(sent));

function refusal(sent: unknown): string {
  const parsed = patientSchema.safeParse(sent);
  return parsed.success ? '' : parsed.error.issues.map(({ message }) => message).join('; ');
}

describe('a temperature', () => {
  test.each([
    ['37.5ºC', 37.5],
    ['37.5 º C', 37.5],
    ['37,5 °C', 37.5],
    ['37.5˚C', 37.5],
    ['37.5℃', 37.5],
    ['３７．５℃', 37.5],
    ['٣٧٫٥ °C', 37.5],
    ['37½ °C', 37.5],
    ['37 1/2 C', 37.5],
    ['37.5 Cel', 37.5],
    ['37.5°', 37.5],
    ['37,5 grados', 37.5],
    ['38 grados centígrados', 38],
    ['38 degrees Celsius', 38],
    ['37.5\u00a0°C', 37.5],
    ['98.6ºF', 37],
    ['98.6℉', 37],
    ['98.6 [degF]', 37],
    ['98.6°', 37],
    ['100.4 degrees F', 38],
    [{ value: 37.5, unit: 'Cel' }, 37.5],
    [{ value: 37.5, unit: 'ºC' }, 37.5],
    [{ value: 98.6, unit: '[degF]' }, 37],
    [77, 25],
    ['116', 46.67],
    [46, 46],
  ])('a temperature written as %j is stored in degrees Celsius', (given, value) => {
    expect(kept({ vitals: { temperature: given } }).vitals?.temperature).toEqual({ value, unit: 'C', given });
  });

  test.each([
    ...['60 C', '98.6 ºC', '5 °C', '120 °F', '-3 C', '37 K', '36-37', 'fever', '', '1e2'],
    ...[48, 60, 76.9, '60', '60°', 375, '375', -3],
  ])('a temperature written as %j is refused by its name', (given) => {
    expect(refusal({ vitals: { temperature: given } })).toMatch(/^temperature /);
  });

  test.each([
    [60, '60 C is not'],
    ['375', '375 C is not'],
    ['120 °F', '120 °F (48.89 C) is not'],
    [117, '117 F (47.22 C) is not'],
    [{ value: 20, unit: 'F' }, '20 F (-6.67 C) is not'],
  ])('a temperature of %j is refused with the client’s own number', (given, reason) => {
    expect(refusal({ vitals: { temperature: given } })).toBe(
      `temperature must be between 10 and 47 C; ${reason}`,
    );
  });
});

describe('a weight', () => {
  test.each([
    ['3200 g', 3.2],
    ['3200g', 3.2],
    ['3200 gramos', 3.2],
    ['3,2 kg', 3.2],
    ['３.２ ㎏', 3.2],
    ['80 kilos', 80],
    ['80 kg.', 80],
    ['176 lb', 79.83],
    ['176 lbs', 79.83],
    ['176 lbs.', 79.83],
    ['176 [lb_av]', 79.83],
    ['176 libras', 79.83],
    ['8 lb 3 oz', 3.71],
    ['8 lb, 3 oz', 3.71],
    ['11 st 4 lb', 71.67],
    ['3 kg 200 g', 3.2],
    [{ value: 3_200, unit: 'g' }, 3.2],
  ])('a weight written as %j is stored in kilograms', (given, value) => {
    expect(kept({ vitals: { weight: given } }).vitals?.weight).toEqual({ value, unit: 'kg', given });
  });

  test.each([
    3_200,
    '900 kg',
    '100 g',
    '8 lb 20 oz',
    '8 lb 3 cm',
    '8 lb 3 oz 1 g',
    '80 stones of gold',
    '70 kg/m2',
  ])('a weight written as %j is refused by its name', (given) => {
    expect(refusal({ vitals: { weight: given } })).toMatch(/^weight /);
  });
});

describe('a height', () => {
  test.each([
    ['180 cm', 180],
    ['1.80 m', 180],
    ['1,80 m', 180],
    ['1 m 80', 180],
    ['1m80', 180],
    ['1 m 80 cm', 180],
    ['180㎝', 180],
    ['5 ft 11 in', 180.34],
    ["5'11", 180.34],
    ['5\'11"', 180.34],
    ['5’11”', 180.34],
    ['5′ 11″', 180.34],
    ["5'11''", 180.34],
    ['5 feet and 11 inches', 180.34],
    ['5 pies 11 pulgadas', 180.34],
    ['5\' 10½"', 179.07],
    ['6 ft', 182.88],
    ['71 in', 180.34],
    ['71 [in_i]', 180.34],
    ['500 mm', 50],
  ])('a height written as %j is stored in centimetres', (given, value) => {
    expect(kept({ vitals: { height: given } }).vitals?.height).toEqual({ value, unit: 'cm', given });
  });

  test.each([1.8, '3 m', '5 ft 14 in', "11' 2", '5 cm'])(
    'a height written as %j is refused by its name',
    (given) => {
      expect(refusal({ vitals: { height: given } })).toMatch(/^height /);
    },
  );
});

describe('an oxygen saturation', () => {
  test.each([
    [98, 98],
    ['98 %', 98],
    ['98％', 98],
    ['98 por ciento', 98],
    [0, 0],
    [20, 20],
    [40, 40],
    [0.2, 20],
    [0.98, 98],
    ['0.98', 98],
    ['0,98', 98],
    [{ value: 0.98, unit: '' }, 98],
  ])('an oxygen saturation written as %j is stored in percent, even as a share of one', (given, value) => {
    expect(kept({ vitals: { spo2: given } }).vitals?.spo2).toEqual({ value, unit: '%', given });
  });

  test.each([
    [1, '1 %'],
    [1.5, '1.5 %'],
    [19.9, '19.9 %'],
    ['1 %', '1 %'],
    ['0.98 %', '0.98 %'],
    [{ value: 0.98, unit: '%' }, '0.98 %'],
    [0.005, '0.005 (0.5 %)'],
    ['0.15', '0.15 (15 %)'],
    [101, '101 %'],
    [-1, '-1 %'],
    [9_800, '9800 %'],
  ])('an oxygen saturation written as %j is refused, because no patient has it', (given, shown) => {
    expect(refusal({ vitals: { spo2: given } })).toBe(
      `spo2 must be 0 or between 20 and 100 %; ${shown} is not`,
    );
  });
});

describe('a rate', () => {
  test.each([
    ['heart_rate', '88 lpm', 'bpm'],
    ['heart_rate', '88 latidos por minuto', 'bpm'],
    ['heart_rate', '88 {beats}/min', 'bpm'],
    ['heart_rate', '88 1/min', 'bpm'],
    ['heart_rate', '８８ bpm', 'bpm'],
    ['respiratory_rate', '88 rpm', '/min'],
    ['respiratory_rate', '88 breaths per minute', '/min'],
    ['respiratory_rate', '88 per minute', '/min'],
  ])('%s %j is stored', (field, given, unit) => {
    expect(kept({ vitals: { [field]: given } })).toEqual({ vitals: { [field]: { value: 88, unit, given } } });
  });

  test.each(['14/15', '14 /15', '14 puntos', 14])('the coma score %j is stored', (given) => {
    expect(kept({ vitals: { gcs: given } }).vitals?.gcs).toMatchObject({ value: 14 });
  });
});

describe('a blood pressure', () => {
  test.each([
    ['120/80', 120, 80],
    ['120 / 80 mmHg', 120, 80],
    ['120/80 mm[Hg]', 120, 80],
    ['120/80 mm de Hg', 120, 80],
    ['１２０／８０', 120, 80],
    ['120 over 80', 120, 80],
    ['120 sobre 80', 120, 80],
    ['0/0', 0, 0],
    ['120/P', 120, null],
    ['120/p mmHg', 120, null],
    ['120/palp', 120, null],
    ['120 palpated', 120, null],
    ['120 mmHg by palpation', 120, null],
    [{ systolic: 120, diastolic: 80 }, 120, 80],
    [{ systolic: 120, diastolic: null }, 120, null],
  ])(
    'the blood pressure %j is stored in mmHg, without a diastolic if palpated',
    (given, systolic, diastolic) => {
      const pressure = { systolic, diastolic, unit: 'mmHg', given };
      expect(kept({ vitals: { blood_pressure: given } }).vitals?.blood_pressure).toEqual(pressure);
    },
  );

  test.each(['120', '120/', '/80', '12/8', '120/80/60', '120/X', '900/P', 'P', '80/120', '16/10 kPa'])(
    'a blood pressure written as %j is refused by its name',
    (given) => {
      expect(refusal({ vitals: { blood_pressure: given } })).toMatch(/^blood_pressure /);
    },
  );

  test('a palpated blood pressure reaches the model as the client wrote it', () => {
    expect(formatPatient(kept({ vitals: { blood_pressure: '85/P' } }))).toContain('blood pressure 85/P mmHg');
  });
});

describe('an age', () => {
  test.each([
    ['3 meses', 0.25],
    ['1 mes', 0.083],
    ['45 años', 45],
    ['45 anos', 45],
    ['45 AÑOS', 45],
    ['45 años de edad', 45],
    ['４５ años', 45],
    ['2 años y 3 meses', 2.25],
    ['2 years and 3 months', 2.25],
    ['2y 3m', 2.25],
    ['1y6m', 1.5],
    ['2½ años', 2.5],
    ['2 1/2 years', 2.5],
    ['1,5 años', 1.5],
    ['18 months', 1.5],
    ['18 mo.', 1.5],
    ['3 semanas', 0.057],
    ['10 días', 0.027],
    ['10 dias de vida', 0.027],
    ['12 h', 0.001],
    ['45-year-old', 45],
    ['45 y.o.', 45],
    ['45 y/o', 45],
    ['45 yrs', 45],
    ['45 years of age', 45],
    ['45 a', 45],
    ['recién nacido', 0],
    ['newborn', 0],
  ])('an age written as %j is stored in years', (age, years) => {
    expect(kept({ age }).age).toEqual({ years, given: age });
  });

  test.each(['131 años', '2000 meses', '3 months 2 years', '2 years 3', '45 kg', 'mes', '-2 meses'])(
    'an age written as %j is refused by its name',
    (age) => {
      expect(refusal({ age })).toMatch(/^age must be/);
    },
  );
});
