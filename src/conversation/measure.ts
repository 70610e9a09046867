/**
 * One measured value: read in any of its units, checked in one, and kept beside the words it came in.
 *
 * The range is what a living or dying body can show, not what is healthy: it catches a typing error or a wrong
 * unit, and must never refuse the value of a very ill patient.
 */
import { z } from 'zod';

export interface MeasureRule {
  readonly field: string;
  /** The metric unit that the value is kept and checked in. */
  readonly unit: string;
  readonly min: number;
  readonly max: number;
  readonly whole?: boolean;
  /** How each accepted spelling of a unit, in lower case, becomes the metric one. */
  readonly units: Readonly<Record<string, (value: number) => number>>;
  /** For a bare number, where its size alone says which unit it is in; absent or null: the metric one. */
  readonly guessUnit?: (value: number) => string | null;
}

const given = z.union([
  z.number(),
  z.string().max(64),
  z.strictObject({ value: z.number(), unit: z.string().max(16) }).readonly(),
]);

export const measureSchema = z
  .strictObject({ value: z.number(), unit: z.string().max(16), given })
  .readonly();

/** `value` in `unit`, and what was sent. */
export type Measure = z.infer<typeof measureSchema>;

export const same = (value: number): number => value;

export function measure(rule: MeasureRule) {
  const { field, unit } = rule;
  const accepted = Object.keys(rule.units).join(', ');
  const shape = `${field} must be a number in ${unit}, a text such as "${rule.min} ${unit}", or {value, unit}`;
  const input = z.union(
    [
      z.number(),
      z.string().max(64, { error: shape }),
      z.strictObject({ value: z.number(), unit: z.string().max(16) }),
    ],
    { error: shape },
  );
  return input
    .transform((sent, context): Measure => {
      const refuse = (message: string): never => {
        context.addIssue({ code: 'custom', message });
        return z.NEVER;
      };
      const read = typeof sent === 'object' ? sent : readAmount(sent);
      if (read === null) return refuse(shape);
      const spelling = read.unit?.trim().toLowerCase() ?? rule.guessUnit?.(read.value) ?? null;
      const convert = spelling === null ? same : Object.hasOwn(rule.units, spelling) && rule.units[spelling];
      if (convert === false || convert === undefined) {
        return refuse(`${field} has the unit "${read.unit}"; it can be one of: ${accepted}`);
      }
      const value = Math.round(convert(read.value) * 100) / 100;
      if (!(value >= rule.min && value <= rule.max)) {
        return refuse(
          `${field} must be between ${rule.min} and ${rule.max} ${unit}; ${value} ${unit} is not`,
        );
      }
      if (rule.whole === true && !Number.isInteger(value)) return refuse(`${field} must be a whole number`);
      return { value, unit, given: sent };
    })
    .describe(`${rule.min} to ${rule.max} ${unit}`);
}

interface Amount {
  readonly value: number;
  readonly unit: string | null;
}

function readAmount(sent: number | string): Amount | null {
  if (typeof sent === 'number') return { value: sent, unit: null };
  const match = /^\s*(-?\d+(?:[.,]\d+)?)\s*(\S.*)?$/.exec(sent);
  if (match?.[1] === undefined) return null;
  return { value: Number(match[1].replace(',', '.')), unit: match[2]?.trimEnd() ?? null };
}
