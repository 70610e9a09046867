/** The kinds of value that a variable can have. */
import { z } from 'zod';
import { isBlocked } from './blocked-ports.ts';

/** A longer duration is a mistake: it has a digit too many. */
const LONGEST_MS = 10 * 365 * 86_400_000;
const LONGEST_DAYS = 100 * 365;

export const milliseconds = (fallback: number, least = 0) =>
  z.coerce.number().int().min(least).max(LONGEST_MS).default(fallback);

export const days = (fallback: number) => z.coerce.number().int().min(1).max(LONGEST_DAYS).default(fallback);

export const count = (fallback: number, least = 0) => z.coerce.number().int().min(least).default(fallback);

export const port = (fallback: number) => z.coerce.number().int().min(0).max(65_535).default(fallback);

export const flag = z
  .enum(['0', '1', 'true', 'false'])
  .default('false')
  .transform((value) => value === '1' || value === 'true');

/** A text of which `problem` says what is wrong with it, or null. */
export const checked = (problem: (text: string) => string | null) =>
  z.string().superRefine((text, context) => {
    const message = problem(text);
    if (message !== null) context.addIssue({ code: 'custom', message });
  });

export const redisUrl = checked((text) =>
  isRedisUrl(text) ? null : 'is not the URL of a Redis, such as redis://127.0.0.1:6379',
);

export const postgresUrl = checked((text) =>
  /^postgres(ql)?:\/\//.test(text) && URL.canParse(text)
    ? null
    : 'is not the URL of a PostgreSQL, such as postgres://user:password@127.0.0.1:5432/database',
);

/** `REDIS_URL`, or the folder of an embedded store. */
export const storeUrl = checked((text) =>
  /^sqlite:./.test(text) || isRedisUrl(text)
    ? null
    : 'is neither the URL of a Redis, such as redis://127.0.0.1:6379, nor sqlite:DIR',
);

export const modelUrls = checked((text) => {
  const problems = text.split(',').map((one) => modelUrlProblem(one.trim()));
  return problems.find((problem) => problem !== null) ?? null;
});

function modelUrlProblem(text: string): string | null {
  if (text === '') return null;
  if (!/^https?:\/\//.test(text) || !URL.canParse(text))
    return 'is not the URL of a model server, such as http://127.0.0.1:8000/v1';
  const url = new URL(text);
  if (url.username !== '' || url.password !== '') return 'holds credentials; VLLM_API_KEY is for the key';
  if (isBlocked(url))
    return `names port ${url.port}, to which HTTP clients refuse to connect; 8000 is one that works`;
  return url.search === '' && url.hash === '' ? null : 'has something behind its path, which ends in /v1';
}

function isRedisUrl(text: string): boolean {
  const cluster = /^rediss?\+cluster:\/\/(?:[^@]*@)?([^/]+)\/?$/.exec(text);
  if (cluster === null) return /^rediss?:\/\/./.test(text) && URL.canParse(text);
  return (cluster[1] ?? '').split(',').every((node) => URL.canParse(`redis://${node}`) && node !== '');
}
