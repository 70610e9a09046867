/** Reads an age as people write it: 45, "45y", "6 months", "3 weeks old", "45 años", "2 años y 3 meses". */
import { z } from 'zod';
import { plainText, readAmount, readTwoAmounts, unitKey } from './plain-text.ts';

const YEARS_PER_UNIT: readonly (readonly [RegExp, number])[] = [
  [/^(?:|y|yr|yrs|year|years|yo|y\/o|y\.o|a|ano|anos)$/, 1],
  [/^(?:m|mo|mos|mth|mths|month|months|mes|meses)$/, 1 / 12],
  [/^(?:w|wk|wks|week|weeks|sem|semana|semanas)$/, 7 / 365.25],
  [/^(?:d|day|days|dia|dias)$/, 1 / 365.25],
  [/^(?:h|hr|hrs|hour|hours|hora|horas)$/, 1 / 8_766],
];
const NEWBORN = /^(?:newborn|neonate|recien nacid[oa])$/;
/** Words after the amount that add nothing to it. */
const AROUND = /[\s-]*(?:old|of age|de edad|de vida)$/;
const MAX_YEARS = 130;
const SHAPE = 'age must be a number of years or a text such as "45", "45y", "6 months" or "45 años"';

export const ageSchema = z
  .strictObject({ years: z.number(), given: z.union([z.number(), z.string().max(64)]) })
  .readonly();
export type Age = z.infer<typeof ageSchema>;

export const ageInput = z
  .union([z.number(), z.string().max(64, { error: SHAPE })], { error: SHAPE })
  .transform((sent, context): Age => {
    const years = typeof sent === 'number' ? sent : readYears(sent);
    const problem =
      years === null
        ? SHAPE
        : years >= 0 && years <= MAX_YEARS
          ? null
          : `age must be between 0 and ${MAX_YEARS} years; "${sent}" is not`;
    if (years === null || problem !== null) {
      context.addIssue({ code: 'custom', message: problem ?? SHAPE });
      return z.NEVER;
    }
    return { years: Math.round(years * 1000) / 1000, given: sent };
  })
  .describe('years as a number, or a text with a unit: "45", "45y", "6 months", "3 meses"');

function readYears(sent: string): number | null {
  const written = plainText(sent).toLowerCase();
  if (NEWBORN.test(written)) return 0;
  const amount = written.replace(AROUND, '').replace(/(\d)-(?=[a-z])/, '$1 ');
  const one = readAmount(amount);
  const single = one === null ? null : yearsPer(one.unit);
  if (one !== null && single !== null) return one.value * single;
  const [large, small] = readTwoAmounts(amount) ?? [null, null];
  if (large === null || small === null || large.unit === '' || small.unit === '') return null;
  const [perLarge, perSmall] = [yearsPer(large.unit), yearsPer(small.unit)];
  if (perLarge === null || perSmall === null || perSmall >= perLarge) return null;
  return large.value * perLarge + small.value * perSmall;
}

function yearsPer(unit: string): number | null {
  return YEARS_PER_UNIT.find(([spelling]) => spelling.test(unitKey(unit)))?.[1] ?? null;
}
