/** An age as people write it: 45, "45y", "6 months", "3 weeks old". */
import { z } from 'zod';

const YEARS_PER_UNIT: readonly (readonly [RegExp, number])[] = [
  [/^(?:y|yr|yrs|year|years|yo|y\/o)$/, 1],
  [/^(?:m|mo|mos|month|months)$/, 1 / 12],
  [/^(?:w|wk|wks|week|weeks)$/, 7 / 365.25],
  [/^(?:d|day|days)$/, 1 / 365.25],
];
const MAX_YEARS = 130;
const SHAPE = 'age must be a number of years or a text such as "45", "45y" or "6 months"';

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
  .describe('years as a number, or a text with a unit: "45", "45y", "6 months"');

function readYears(sent: string): number | null {
  const match = /^(\d+(?:[.,]\d+)?)\s*([a-z/]*)(?:\s+old)?$/.exec(sent.trim().toLowerCase());
  if (match?.[1] === undefined) return null;
  const unit = match[2] === undefined || match[2] === '' ? 'y' : match[2];
  const row = YEARS_PER_UNIT.find(([spelling]) => spelling.test(unit));
  return row === undefined ? null : Number(match[1].replace(',', '.')) * row[1];
}
