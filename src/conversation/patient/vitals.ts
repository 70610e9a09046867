/** Defines the vital signs of the clinical API: what it accepts, and what a session stores. */
import { z } from 'zod';
import { measure, measureSchema, same } from './measure.ts';
import { unitKey } from './plain-text.ts';

const fromFahrenheit = (value: number): number => ((value - 32) * 5) / 9;
const KG_PER_LB = 0.45359237;
const CM_PER_INCH = 2.54;

const perMinute = { '/min': same, perminute: same, '1/min': same, porminuto: same };

const heartRate = measure({
  field: 'heart_rate',
  unit: 'bpm',
  min: 0,
  max: 350,
  units: {
    bpm: same,
    ...perMinute,
    'beats/min': same,
    beatsperminute: same,
    lpm: same,
    'lat/min': same,
    'latidos/min': same,
    latidosporminuto: same,
    ppm: same,
    'pulsaciones/min': same,
    pulsacionesporminuto: same,
  },
  shown: ['bpm', '/min', 'lpm', 'ppm'],
  examples: ['88 bpm', '88 lpm'],
});

const respiratoryRate = measure({
  field: 'respiratory_rate',
  unit: '/min',
  min: 0,
  max: 150,
  units: {
    ...perMinute,
    'breaths/min': same,
    breathsperminute: same,
    bpm: same,
    rpm: same,
    'resp/min': same,
    'respiraciones/min': same,
    respiracionesporminuto: same,
  },
  shown: ['/min', 'breaths/min', 'rpm'],
  examples: ['24/min', '24 rpm'],
});

/** A bare number between these can be a body temperature in Fahrenheit (25 to 47 °C), and never one in Celsius. */
const FAHRENHEIT_MIN = 77;
const FAHRENHEIT_MAX = 117;
const inFahrenheit = (value: number): boolean => value >= FAHRENHEIT_MIN && value <= FAHRENHEIT_MAX;
const byItsSize = (value: number): number => (inFahrenheit(value) ? fromFahrenheit(value) : value);
const temperature = measure({
  field: 'temperature',
  unit: 'C',
  min: 10,
  max: 47,
  units: {
    c: same,
    '°c': same,
    cel: same,
    celsius: same,
    '°celsius': same,
    degc: same,
    degreesc: same,
    degreescelsius: same,
    gradosc: same,
    gradoscelsius: same,
    centigrados: same,
    gradoscentigrados: same,
    f: fromFahrenheit,
    '°f': fromFahrenheit,
    fahrenheit: fromFahrenheit,
    '°fahrenheit': fromFahrenheit,
    degf: fromFahrenheit,
    degreesf: fromFahrenheit,
    degreesfahrenheit: fromFahrenheit,
    gradosf: fromFahrenheit,
    gradosfahrenheit: fromFahrenheit,
    '°': byItsSize,
    deg: byItsSize,
    degrees: byItsSize,
    grados: byItsSize,
  },
  shown: ['C', '°C', 'Cel', 'F', '°F', '[degF]'],
  bare: {
    unit: (value) => (inFahrenheit(value) ? { key: 'f', shown: 'F' } : null),
    note: `, and from ${FAHRENHEIT_MIN} to ${FAHRENHEIT_MAX} in F`,
  },
  examples: ['38.5 °C', '37,5ºC', '101.3 F'],
});

/** A pulse oximeter measures nothing below this; 0 is a patient without a pulse. */
const SPO2_MEASURED_PERCENT = 20;
const isShare = (value: number): boolean => value > 0 && value < 1;
const spo2 = measure({
  field: 'spo2',
  unit: '%',
  min: 0,
  max: 100,
  leastAboveZero: SPO2_MEASURED_PERCENT,
  units: { '%': same, percent: same, porciento: same, share: (value) => value * 100 },
  shown: ['%', 'percent'],
  bare: {
    unit: (value) => (isShare(value) ? { key: 'share', shown: '' } : null),
    note: ', and below 1 a share of one: 0.98 is 98 %',
  },
  examples: ['98 %', '0.98'],
});

const inKg = (value: number): number => value;
const fromGrams = (value: number): number => value / 1_000;
const fromPounds = (value: number): number => value * KG_PER_LB;
const fromOunces = (value: number): number => (value * KG_PER_LB) / 16;
const fromStones = (value: number): number => value * 14 * KG_PER_LB;
const weight = measure({
  field: 'weight',
  unit: 'kg',
  min: 0.2,
  max: 700,
  units: {
    kg: inKg,
    kgs: inKg,
    kilo: inKg,
    kilos: inKg,
    kilogram: inKg,
    kilograms: inKg,
    kilogramo: inKg,
    kilogramos: inKg,
    g: fromGrams,
    gr: fromGrams,
    gram: fromGrams,
    grams: fromGrams,
    gramo: fromGrams,
    gramos: fromGrams,
    lb: fromPounds,
    lbs: fromPounds,
    lb_av: fromPounds,
    pound: fromPounds,
    pounds: fromPounds,
    libra: fromPounds,
    libras: fromPounds,
    oz: fromOunces,
    oz_av: fromOunces,
    ounce: fromOunces,
    ounces: fromOunces,
    onzas: fromOunces,
    st: fromStones,
    stone: fromStones,
  },
  shown: ['kg', 'g', 'lb', 'oz', 'st'],
  examples: ['80 kg', '3200 g', '8 lb 3 oz'],
  parts: [
    [inKg, fromGrams],
    [fromPounds, fromOunces],
    [fromStones, fromPounds],
  ],
});

const inCm = (value: number): number => value;
const fromMetres = (value: number): number => value * 100;
const fromInches = (value: number): number => value * CM_PER_INCH;
const fromFeet = (value: number): number => value * 12 * CM_PER_INCH;
const height = measure({
  field: 'height',
  unit: 'cm',
  min: 15,
  max: 280,
  units: {
    cm: inCm,
    cms: inCm,
    centimetres: inCm,
    centimeters: inCm,
    centimetros: inCm,
    mm: (value) => value / 10,
    m: fromMetres,
    metre: fromMetres,
    metres: fromMetres,
    meter: fromMetres,
    meters: fromMetres,
    metro: fromMetres,
    metros: fromMetres,
    in: fromInches,
    in_i: fromInches,
    inch: fromInches,
    inches: fromInches,
    '"': fromInches,
    pulgada: fromInches,
    pulgadas: fromInches,
    ft: fromFeet,
    ft_i: fromFeet,
    foot: fromFeet,
    feet: fromFeet,
    "'": fromFeet,
    pie: fromFeet,
    pies: fromFeet,
  },
  shown: ['cm', 'm', 'in', 'ft'],
  examples: ['180 cm', '1.80 m', '5 ft 11 in'],
  parts: [
    [fromMetres, inCm],
    [fromFeet, fromInches],
  ],
});

const gcs = measure({
  field: 'gcs',
  unit: 'points',
  min: 3,
  max: 15,
  whole: true,
  units: { points: same, pts: same, puntos: same, '/15': same },
  shown: ['points', '/15'],
  examples: ['14/15'],
});

const pressureParts = z
  .strictObject({
    systolic: z.number(),
    diastolic: z.number().nullable().describe('null: not heard, the pressure was palpated'),
  })
  .readonly();
const pressureGiven = z.union([z.string().max(64), pressureParts]);
const pressureShape =
  'blood_pressure must be "systolic/diastolic" in mmHg, such as "120/80", "120/P" if palpated, or its two parts';
/** A lower systolic is a wrong unit: some countries write 120/80 as `12/8`, in cmHg. */
const SYSTOLIC_MEASURED_MMHG = 20;

const bloodPressure = z
  .union([z.string().max(64, { error: pressureShape }), pressureParts], { error: pressureShape })
  .transform((sent, context): BloodPressure => {
    const refuse = (message: string): never => {
      context.addIssue({ code: 'custom', message });
      return z.NEVER;
    };
    const parts = typeof sent === 'string' ? readPressure(sent) : sent;
    if (parts === null) return refuse(pressureShape);
    const { systolic, diastolic } = parts;
    if (!(systolic >= 0 && systolic <= 370))
      return refuse(`blood_pressure systolic must be between 0 and 370 mmHg; ${systolic} mmHg is not`);
    if (systolic > 0 && systolic < SYSTOLIC_MEASURED_MMHG)
      return refuse(`blood_pressure must be in mmHg, such as "120/80"; ${systolic} mmHg is not possible`);
    if (diastolic !== null && !(diastolic >= 0 && diastolic <= 370))
      return refuse(`blood_pressure diastolic must be between 0 and 370 mmHg; ${diastolic} mmHg is not`);
    if (diastolic !== null && diastolic > systolic)
      return refuse(`blood_pressure has a diastolic above its systolic: ${systolic}/${diastolic} mmHg`);
    return { systolic, diastolic, unit: 'mmHg', given: sent };
  })
  .describe(
    `0, or ${SYSTOLIC_MEASURED_MMHG} to 370 mmHg systolic; 0 to 370 mmHg diastolic, never above the systolic. Texts such as \`120/80\`, \`120 over 80\`, \`120/P\` if palpated; or {systolic, diastolic}`,
  );

const PRESSURE = /^(\d{1,3})(?:\/|over|sobre)(?:(\d{1,3})|p|palp[a-z]*)(?:mmhg|mmdehg)?$/;
const PALPATED = /^(\d{1,3})(?:mmhg)?(?:by)?palp[a-z]*$/;

function readPressure(sent: string): z.infer<typeof pressureParts> | null {
  const written = unitKey(sent);
  const match = PRESSURE.exec(written) ?? PALPATED.exec(written);
  if (match === null) return null;
  return { systolic: Number(match[1]), diastolic: match[2] === undefined ? null : Number(match[2]) };
}

const bloodPressureSchema = z
  .strictObject({
    systolic: z.number(),
    /** null: palpated. */
    diastolic: z.number().nullable(),
    unit: z.literal('mmHg'),
    given: pressureGiven,
  })
  .readonly();
type BloodPressure = z.infer<typeof bloodPressureSchema>;

/** As clients send them; the parsed result is `Vitals`. */
export const vitalsInput = z.strictObject(
  {
    heart_rate: heartRate.optional(),
    blood_pressure: bloodPressure.optional(),
    respiratory_rate: respiratoryRate.optional(),
    temperature: temperature.optional(),
    spo2: spo2.optional(),
    weight: weight.optional(),
    height: height.optional(),
    gcs: gcs.optional(),
    other: z.string().trim().min(1).max(1_000).optional().describe('any other observation, as text'),
  },
  {
    error: (issue) => (issue.code === 'invalid_type' ? 'vitals must be an object of vital signs' : undefined),
  },
);

/** As the session stores them. */
export const vitalsSchema = z
  .strictObject({
    heart_rate: measureSchema.optional(),
    blood_pressure: bloodPressureSchema.optional(),
    respiratory_rate: measureSchema.optional(),
    temperature: measureSchema.optional(),
    spo2: measureSchema.optional(),
    weight: measureSchema.optional(),
    height: measureSchema.optional(),
    gcs: measureSchema.optional(),
    other: z.string().optional(),
  })
  .readonly();

export type Vitals = z.infer<typeof vitalsSchema>;
