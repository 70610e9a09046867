/**
 * Variables reads the environment by a schema. Each value that cannot be used becomes one line with the variable, the
 * value and one that works, so that one start shows all of them.
 *
 *  SHOWN-1  No message holds a key or a password, even if the value is malformed.
 */
import type { z } from 'zod';
import { startFailure, withoutPasswords } from '../startup/start-failure.ts';

export type Environment = Readonly<Record<string, string | undefined>>;

export type Read<Schema extends z.ZodObject> =
  | { readonly kind: 'values'; readonly values: z.output<Schema>; readonly given: ReadonlySet<string> }
  | { readonly kind: 'problems'; readonly problems: readonly string[] };

/** By name, so that no list can miss a new setting. VLLM_EXTRA_BODY may carry a credential of a gateway. */
const SECRETS = /_(KEYS?|PASSWORD|SECRET|TOKEN)$|^VLLM_EXTRA_BODY$/;
const URLS = /_URL$/;
const LONGEST_SHOWN = 80;

const DAY_MS = 86_400_000;
const UNIT_MS: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1_000,
  sec: 1_000,
  m: 60_000,
  min: 60_000,
  h: 3_600_000,
  d: DAY_MS,
};
const DURATION = /^(\d+(?:\.\d+)?)\s*(ms|s|sec|m|min|h|d)$/i;

/** An empty variable counts as unset. Env files and secrets leave white space around values. */
export function readVariables<Schema extends z.ZodObject>(
  schema: Schema,
  environment: Environment,
): Read<Schema> {
  const given = Object.fromEntries(
    Object.keys(schema.shape).flatMap((name) => {
      const value = environment[name]?.trim() ?? '';
      return value === '' ? [] : [[name, value]];
    }),
  );
  const parsed = schema.safeParse(given);
  if (parsed.success) return { kind: 'values', values: parsed.data, given: new Set(Object.keys(given)) };
  const first = new Map<string, z.core.$ZodIssue>();
  for (const issue of parsed.error.issues) {
    const name = issue.path.join('.');
    if (!first.has(name)) first.set(name, issue);
  }
  const problems = [...first].map(([name, issue]) => {
    const value = given[name] ?? '';
    return `${shown(name, value)} ${complaint(name, value, issue)}`;
  });
  return { kind: 'problems', problems };
}

/** A headline, then one line for each problem. */
export function unusable(problems: readonly string[]): Error {
  return startFailure(`The environment cannot be used.\n${problems.join('\n')}`);
}

/** `NAME=value`, or the name alone if the value is a secret or may hold one (SHOWN-1). */
export function shown(name: string, value: string): string {
  if (SECRETS.test(name)) return name;
  const open = URLS.test(name) ? openPartOf(value) : value;
  if (open === null) return name;
  const short = open.length > LONGEST_SHOWN ? `${open.slice(0, LONGEST_SHOWN)}…` : open;
  return `${name}=${/[\s"\p{Cc}]/u.test(short) ? JSON.stringify(short) : short}`;
}

/** Null if a password may hide, as in `user:password@host` without a scheme or in `password=…`. */
function openPartOf(url: string): string | null {
  const [address = '', query] = withoutPasswords(url).split('?');
  const withoutScheme = address.replaceAll(/\w+:\/\/(\*{3}@)?/g, '');
  if (/[@=]/.test(withoutScheme)) return null;
  return query === undefined ? address : `${address}?…`;
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

/** For milliseconds `1h` means 3600000, for days `7d` means 7, and `10_000` means 10000. */
function meantBy(name: string, value: string): number | null {
  const plain = value.replaceAll(/[_,' ]/g, '');
  if (/^\d+$/.test(plain)) return Number(plain);
  const [, amount, unit] = DURATION.exec(value) ?? [];
  const factorMs = UNIT_MS[unit?.toLowerCase() ?? ''];
  if (amount === undefined || factorMs === undefined) return null;
  if (name.endsWith('_MS')) return Number(amount) * factorMs;
  return name.endsWith('_DAYS') ? (Number(amount) * factorMs) / DAY_MS : null;
}
