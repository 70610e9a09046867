/**
 * A schedule lists the troubles and their times. A seed draws it before the test starts, so that a reader sees it and a
 * run can be repeated. No two troubles of a kind overlap, and one instance is always spared.
 */
import { between, type Random } from './figures.ts';

export type Trouble =
  | { readonly kind: 'kill'; readonly instance: number; readonly downMs: number }
  | { readonly kind: 'stop'; readonly instance: number; readonly forMs: number }
  | { readonly kind: 'redis-stop'; readonly forMs: number }
  | { readonly kind: 'cut'; readonly line: number }
  | { readonly kind: 'half-open'; readonly line: number; readonly forMs: number }
  | { readonly kind: 'drain'; readonly instance: number };

export interface Planned {
  readonly atMs: number;
  readonly trouble: Trouble;
}

const SPACING_MS = { least: 1_500, most: 5_000 };

export function plan(random: Random, instances: number, lengthMs: number): readonly Planned[] {
  const planned: Planned[] = [];
  const busyUntil = Array.from({ length: instances }, () => 0);
  let redisBusyUntil = 0;
  for (let atMs = 2_000; atMs < lengthMs; atMs += between(random, SPACING_MS.least, SPACING_MS.most)) {
    const trouble = draw(random, instances);
    if (trouble.kind === 'redis-stop') {
      if (atMs < redisBusyUntil) continue;
      redisBusyUntil = atMs + trouble.forMs + 3_000;
    }
    if (trouble.kind === 'kill' || trouble.kind === 'stop' || trouble.kind === 'drain') {
      const others = busyUntil.filter((until, index) => index !== trouble.instance && until > atMs);
      if (busyUntil[trouble.instance]! > atMs || others.length > 0) continue;
      busyUntil[trouble.instance] = atMs + lengthOf(trouble) + 3_000;
    }
    planned.push({ atMs, trouble });
  }
  return planned;
}

function draw(random: Random, instances: number): Trouble {
  const instance = between(random, 0, instances - 1);
  switch (between(random, 0, 7)) {
    case 0:
    case 1:
      return { kind: 'kill', instance, downMs: between(random, 0, 4_000) };
    case 2:
    case 3:
      return { kind: 'stop', instance, forMs: between(random, 500, 6_000) };
    case 4:
      return { kind: 'redis-stop', forMs: between(random, 500, 4_000) };
    case 5:
      return { kind: 'drain', instance };
    case 6:
      return { kind: 'half-open', line: instance, forMs: between(random, 1_000, 5_000) };
    default:
      return { kind: 'cut', line: instance };
  }
}

/** About how long an instance is away. */
function lengthOf(trouble: Extract<Trouble, { readonly instance: number }>): number {
  if (trouble.kind === 'kill') return trouble.downMs + 2_000;
  return trouble.kind === 'stop' ? trouble.forMs : 10_000;
}

export function spoken({ atMs, trouble }: Planned): string {
  const { kind, ...rest } = trouble;
  const details = Object.entries(rest).map(([name, value]) => `${name} ${value}`);
  return `${(atMs / 1_000).toFixed(1)} s: ${kind} ${details.join(', ')}`;
}
