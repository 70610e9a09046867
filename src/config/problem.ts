/** One line about a value that cannot be used: the variable, the value as written, and a value that would do. */
import type { z } from 'zod';
import { shown } from './shown.ts';

const UNIT_MS: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1_000,
  sec: 1_000,
  m: 60_000,
  min: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};
const DURATION = /^(\d+(?:\.\d+)?)\s*(ms|s|sec|m|min|h|d)$/i;
const DAY_MS = 86_400_000;

export function problemOf(name: string, value: string, issue: z.core.$ZodIssue): string {
  return `${shown(name, value)} ${complaint(name, value, issue)}`;
}

function complaint(name: string, value: string, issue: z.core.$ZodIssue): string {
  switch (issue.code) {
    case 'invalid_type':
      return notANumber(name, value);
    case 'too_small':
      return `is below ${issue.minimum}`;
    case 'too_big':
      return `is above ${issue.maximum}${name.endsWith('_MS') ? ', which is 10 years' : ''}`;
    case 'invalid_value': {
      const meant = issue.values.find((one) => String(one) === value.toLowerCase());
      return `is none of ${issue.values.join(', ')}${meant === undefined ? '' : `; ${String(meant)} is`}`;
    }
    default:
      return issue.message;
  }
}

function notANumber(name: string, value: string): string {
  const unit = name.endsWith('_MS') ? ' of milliseconds' : name.endsWith('_DAYS') ? ' of days' : '';
  if (Number.isFinite(Number(value))) return `is not a whole number${unit}`;
  const meant = meantBy(name, value);
  const fits = meant !== null && Number.isSafeInteger(meant);
  return `is not a number${unit}${fits ? `; ${meant} is` : ''}`;
}

/** `1h` where milliseconds are wanted is 3600000, `7d` where days are is 7, and `10_000` is 10000. */
function meantBy(name: string, value: string): number | null {
  const plain = value.replaceAll(/[_,' ]/g, '');
  if (/^\d+$/.test(plain)) return Number(plain);
  const [, amount, unit] = DURATION.exec(value) ?? [];
  const factorMs = UNIT_MS[unit?.toLowerCase() ?? ''];
  if (amount === undefined || factorMs === undefined) return null;
  if (name.endsWith('_MS')) return Number(amount) * factorMs;
  return name.endsWith('_DAYS') ? (Number(amount) * factorMs) / DAY_MS : null;
}
