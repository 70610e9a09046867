/** Reads CPU time from /proc: of given processes, and of the whole machine, whose rest is noise. Ticks are 10 ms. */
import { readFileSync } from 'node:fs';

export interface UsageReading {
  readonly atMs: number;
  /** Sum of all cores, without idle and waiting time. */
  readonly busyMs: number;
  readonly cpuMs: readonly number[];
}

export interface Usage {
  /** CPU time of each watched process, in the order of the request. */
  readonly cpuMs: readonly number[];
  /** Cores that unrelated processes used; 1 is one whole core. */
  readonly foreignCores: number;
}

const TICK_MS = 10;

function processCpuMs(pid: number): number {
  const text = readFileSync(`/proc/${pid}/stat`, 'latin1');
  // The name may hold spaces and brackets; the fields begin after its last bracket.
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) * TICK_MS;
}

function machineBusyMs(): number {
  const [line = ''] = readFileSync('/proc/stat', 'latin1').split('\n', 1);
  const [user = 0, nice = 0, system = 0, , , irq = 0, softirq = 0, steal = 0] = line
    .split(/\s+/)
    .slice(1)
    .map(Number);
  return (user + nice + system + irq + softirq + steal) * TICK_MS;
}

export function ownCpuMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1_000;
}

export function readUsage(pids: readonly number[]): UsageReading {
  return { atMs: performance.now(), busyMs: machineBusyMs(), cpuMs: pids.map(processCpuMs) };
}

/** `alsoOursMs` is the time of a process of the benchmark that is not among the watched ones. */
export function usageBetween(before: UsageReading, after: UsageReading, alsoOursMs: number): Usage {
  const cpuMs = after.cpuMs.map((ms, index) => ms - (before.cpuMs[index] ?? 0));
  const oursMs = cpuMs.reduce((sum, ms) => sum + ms, alsoOursMs);
  const foreignMs = Math.max(0, after.busyMs - before.busyMs - oursMs);
  return { cpuMs, foreignCores: foreignMs / (after.atMs - before.atMs) };
}
