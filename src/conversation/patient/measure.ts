/**
 * Reads one measured value in any of its units, checks it in one, and keeps it beside the client's words.
 *
 * The range is what a living or dying body can show, not what is healthy: it catches a typing error or a wrong
 * unit, and must never refuse the value of a very ill patient.
 */
import { z } from 'zod';
import { type Amount, plainText, readAmount, readTwoAmounts, unitKey } from './plain-text.ts';

export interface MeasureRule {
  readonly field: string;
  /** The metric unit for the stored value and its range. */
  readonly unit: string;
  readonly min: number;
  readonly max: number;
  /** For a sign that is 0 or at least this: a value between the two has a wrong unit. */
  readonly leastAboveZero?: number;
  readonly whole?: boolean;
  /** How a value in each unit becomes one in the metric unit, by `unitKey`. */
  readonly units: Readonly<Record<string, Convert>>;
  /** The units that a refusal names; the other units are spellings of these. */
  readonly shown: readonly string[];
  /** Pairs of units for texts with two amounts: `5 ft 11 in`, `5'11`. */
  readonly parts?: readonly (readonly [Convert, Convert])[];
  /** The unit of a bare number, if its size alone decides it; null: the metric one. */
  readonly bare?: {
    readonly unit: (value: number) => { readonly key: string; readonly shown: string } | null;
    /** The rule, for the documents. */
    readonly note: string;
  };
  /** Accepted texts, for the documents. */
  readonly examples: readonly string[];
}

type Convert = (value: number) => number;

const given = z.union([
  z.number(),
  z.string().max(64),
  z.strictObject({ value: z.number(), unit: z.string().max(16) }).readonly(),
]);

export const measureSchema = z
  .strictObject({ value: z.number(), unit: z.string().max(16), given })
  .readonly();

/** `value` in `unit`, and what the client sent. */
export type Measure = z.infer<typeof measureSchema>;

export const same = (value: number): number => value;

export function measure(rule: MeasureRule) {
  const { field, unit, min, max, leastAboveZero } = rule;
  const range =
    leastAboveZero === undefined
      ? `between ${min} and ${max} ${unit}`
      : `${min} or between ${leastAboveZero} and ${max} ${unit}`;
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
      const read = typeof sent === 'object' ? sent : readWritten(sent);
      if (read === null) return refuse(shape);
      const exact = convert(rule, read) ?? (typeof sent === 'string' ? convertParts(rule, sent) : null);
      if (exact === null)
        return refuse(
          `${field} has the unit "${read.unit.trim()}"; it can be one of: ${rule.shown.join(', ')}`,
        );
      const value = Math.round(exact * 100) / 100;
      const inRange = value >= min && value <= max;
      if (!inRange || (exact > 0 && value < (leastAboveZero ?? min)))
        return refuse(`${field} must be ${range}; ${shownAmount(rule, sent, read, value)} is not`);
      if (rule.whole === true && !Number.isInteger(value)) return refuse(`${field} must be a whole number`);
      return { value, unit, given: sent };
    })
    .describe(descriptionOf(rule));
}

/** For the documents: the range, the units, the rule for a bare number, and accepted texts. */
function descriptionOf({ unit, min, max, leastAboveZero, shown, bare, examples }: MeasureRule): string {
  const range =
    leastAboveZero === undefined
      ? `${min} to ${max} ${unit}`
      : `${min}, or ${leastAboveZero} to ${max} ${unit}`;
  const texts = examples.map((text) => `\`${text}\``).join(', ');
  return `${range}. Units: ${shown.join(', ')}. A bare number is in ${unit}${bare?.note ?? ''}. Texts such as ${texts}`;
}

/** The amount as the client sent it: the client could not find a converted number in its request. */
function shownAmount(
  { unit, bare }: MeasureRule,
  sent: number | string | Amount,
  read: Amount,
  value: number,
): string {
  const assumed = read.unit.trim() === '' ? (bare?.unit(read.value)?.shown ?? unit) : null;
  const text = typeof sent === 'object' ? `${sent.value} ${sent.unit}` : String(sent);
  const amount = `${text.trim()} ${assumed ?? ''}`.trim();
  return Math.abs(read.value - value) > 0.01 ? `${amount} (${value} ${unit})` : amount;
}

function readWritten(sent: number | string): Amount | null {
  return typeof sent === 'number' ? { value: sent, unit: '' } : readAmount(plainText(sent));
}

/** Null if the unit is not one of the rule's. */
function convert(rule: MeasureRule, { value, unit }: Amount): number | null {
  const spelling = unitKey(unit);
  const known = spelling === '' ? (rule.bare?.unit(value)?.key ?? '') : spelling;
  if (known === '') return value;
  return Object.hasOwn(rule.units, known) ? (rule.units[known]?.(value) ?? null) : null;
}

/** Converts a pair of amounts, such as `5 ft 11 in`; null if the text is not such a pair. */
function convertParts({ units, parts = [] }: MeasureRule, sent: string): number | null {
  const read = readTwoAmounts(plainText(sent));
  if (read === null) return null;
  const [large, small] = read;
  const toLarge = units[unitKey(large.unit)];
  const toSmall = parts.find(([first]) => first === toLarge)?.[1];
  if (toLarge === undefined || toSmall === undefined) return null;
  const spelling = unitKey(small.unit);
  const isPart = (spelling === '' || units[spelling] === toSmall) && toSmall(small.value) < toLarge(1);
  return isPart ? toLarge(large.value) + toSmall(small.value) : null;
}
