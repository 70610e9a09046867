/**
 * Supervision reads the few settings that the supervisor needs. It imports no schema: the supervisor stays small, and
 * the first worker checks the whole environment.
 */
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import type { Environment } from './variables.ts';

export type WorkerCount = number | 'auto';

export type ParsedCount =
  | { readonly kind: 'parsed'; readonly value: WorkerCount }
  | { readonly kind: 'wrong'; readonly why: string };

/** The part of one process among the workers of a supervisor. */
export interface WorkerRole {
  /** Counts all workers that the supervisor has started; no two have the same number. */
  readonly number: number;
  /** True if other workers of the supervisor listen on the port already. */
  readonly joins: boolean;
}

/** The ports on which the first worker listens. */
export interface SharedPorts {
  readonly port: number;
  readonly adminPort?: number;
}

export interface Supervision {
  readonly workers: number;
  /** Each worker's name begins with this one. */
  readonly instance: string;
  readonly logLevel: string;
}

const MOST_WORKERS = 256;
const LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'];
/** The supervisor sets it for its workers; it is no setting. */
const ROLE = 'REHYDRA_WORKER';

export function parseWorkers(text: string): ParsedCount {
  const word = text.toLowerCase();
  if (word === 'auto') return { kind: 'parsed', value: word };
  const count = Number(text);
  if (!Number.isInteger(count)) return { kind: 'wrong', why: 'is neither a whole number nor auto' };
  if (count < 1) return { kind: 'wrong', why: 'is below 1' };
  if (count > MOST_WORKERS) return { kind: 'wrong', why: `is above ${MOST_WORKERS}` };
  return { kind: 'parsed', value: count };
}

export function workersOf(count: WorkerCount): number {
  return count === 'auto' ? Math.min(MOST_WORKERS, usableCores()) : count;
}

/** Null if this process serves alone. It also serves alone if it must refuse the value of `WORKERS`. */
export function readSupervision(environment: Environment): Supervision | null {
  const read = (name: string) => environment[name]?.trim() ?? '';
  const count = parseWorkers(read('WORKERS') || '1');
  if (count.kind === 'wrong' || read(ROLE) !== '') return null;
  const workers = workersOf(count.value);
  if (workers === 1) return null;
  const level = read('LOG_LEVEL');
  return {
    workers,
    instance: read('INSTANCE_ID') || randomBytes(6).toString('hex'),
    logLevel: LEVELS.includes(level) ? level : 'info',
  };
}

/** The environment of a worker. */
export function workerEnvironment(
  environment: Environment,
  { instance }: Supervision,
  role: WorkerRole,
  shared: SharedPorts | null,
): Environment {
  return {
    ...environment,
    INSTANCE_ID: instance,
    [ROLE]: `${role.number} ${role.joins ? 'joins' : 'first'}`,
    ...(shared === null ? {} : { PORT: String(shared.port) }),
    ...(shared?.adminPort === undefined ? {} : { ADMIN_PORT: String(shared.adminPort) }),
  };
}

/** Null if no supervisor started this process. */
export function roleIn(environment: Environment): WorkerRole | null {
  const [, number, how] = /^(\d+) (joins|first)$/.exec(environment[ROLE] ?? '') ?? [];
  return number === undefined ? null : { number: Number(number), joins: how === 'joins' };
}

/** The cores that this process may use. Some versions of Node ignore a container's quota: `auto` would count all cores. */
function usableCores(): number {
  return Math.max(1, Math.min(availableParallelism(), Math.floor(quotaIn(readLimit) ?? Infinity)));
}

/** The quota of the control group in cores; null if there is none. */
export function quotaIn(read: (path: string) => string | null): number | null {
  const [quota, period] =
    read('/sys/fs/cgroup/cpu.max')?.split(/\s+/).map(Number) ??
    ['quota', 'period'].map((name) => Number(read(`/sys/fs/cgroup/cpu/cpu.cfs_${name}_us`) ?? Number.NaN));
  const cores = (quota ?? Number.NaN) / (period ?? Number.NaN);
  return Number.isFinite(cores) && cores > 0 ? cores : null;
}

function readLimit(path: string): string | null {
  try {
    return readFileSync(path, 'utf8').trim();
  } catch {
    return null;
  }
}
