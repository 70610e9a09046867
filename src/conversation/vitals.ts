/** The vital signs of the clinical API: what is accepted, and what is kept of it. */
import { z } from 'zod';
import { measure, measureSchema, same } from './measure.ts';

const fromFahrenheit = (value: number): number => ((value - 32) * 5) / 9;
const KG_PER_LB = 0.45359237;
const CM_PER_INCH = 2.54;

const perMinute = { '/min': same, 'per minute': same, '1/min': same };

const heartRate = measure({
  field: 'heart_rate',
  unit: 'bpm',
  min: 0,
  max: 350,
  units: { bpm: same, ...perMinute },
});

const respiratoryRate = measure({
  field: 'respiratory_rate',
  unit: '/min',
  min: 0,
  max: 150,
  units: { ...perMinute, 'breaths/min': same, bpm: same },
});

const temperature = measure({
  field: 'temperature',
  unit: 'C',
  min: 10,
  max: 47,
  units: {
    c: same,
    '°c': same,
    celsius: same,
    f: fromFahrenheit,
    '°f': fromFahrenheit,
    fahrenheit: fromFahrenheit,
  },
  // No body is at 98.6 °C: a bare number is in the only unit in which its patient exists.
  guessUnit: (value) => (value > 47 ? 'f' : 'c'),
});

const spo2 = measure({ field: 'spo2', unit: '%', min: 0, max: 100, units: { '%': same, percent: same } });

const toKg = (value: number): number => value * KG_PER_LB;
const weight = measure({
  field: 'weight',
  unit: 'kg',
  min: 0.2,
  max: 700,
  units: { kg: same, lb: toKg, lbs: toKg },
});

const toCm = (value: number): number => value * CM_PER_INCH;
const height = measure({
  field: 'height',
  unit: 'cm',
  min: 15,
  max: 280,
  units: { cm: same, m: (value) => value * 100, in: toCm, inch: toCm, inches: toCm },
});

const gcs = measure({
  field: 'gcs',
  unit: 'points',
  min: 3,
  max: 15,
  whole: true,
  units: { points: same, '/15': same },
});

const pressureParts = z.strictObject({ systolic: z.number(), diastolic: z.number() }).readonly();
const pressureGiven = z.union([z.string().max(64), pressureParts]);
const pressureShape =
  'blood_pressure must be "systolic/diastolic" in mmHg, such as "120/80", or its two parts';

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
    if (!(diastolic >= 0 && diastolic <= 370))
      return refuse(`blood_pressure diastolic must be between 0 and 370 mmHg; ${diastolic} mmHg is not`);
    if (diastolic > systolic)
      return refuse(`blood_pressure has a diastolic above its systolic: ${systolic}/${diastolic} mmHg`);
    return { systolic, diastolic, unit: 'mmHg', given: sent };
  })
  .describe('"systolic/diastolic" in mmHg, or {systolic, diastolic}');

function readPressure(sent: string): { readonly systolic: number; readonly diastolic: number } | null {
  const match = /^\s*(\d{1,3})\s*\/\s*(\d{1,3})\s*(?:mm\s?hg)?\s*$/i.exec(sent);
  return match === null ? null : { systolic: Number(match[1]), diastolic: Number(match[2]) };
}

const bloodPressureSchema = z
  .strictObject({
    systolic: z.number(),
    diastolic: z.number(),
    unit: z.literal('mmHg'),
    given: pressureGiven,
  })
  .readonly();
type BloodPressure = z.infer<typeof bloodPressureSchema>;

/** As clients send them; what comes out is `Vitals`. */
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

/** As they are stored. */
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
