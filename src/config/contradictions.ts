/**
 * Values that cannot both be meant. A default contradicts nothing: the operator who sets one of two values has not
 * chosen the other.
 */
interface Durations {
  readonly SESSION_IDLE_MS: number;
  readonly SESSION_ABSOLUTE_MS: number;
  readonly SESSION_WARN_MS: number;
  readonly GENERATION_FIRST_TOKEN_MS: number;
  readonly GENERATION_INTER_TOKEN_MS: number;
  readonly GENERATION_TOTAL_MS: number;
}

export interface Values extends Durations {
  readonly STORE_ROLLOUT: number;
  readonly STORE_ROLLOUT_URL?: string | undefined;
  readonly REDIS_URL?: string | undefined;
  readonly DATA_DIR: string;
  readonly DATA_KEYS?: string | undefined;
  readonly DATA_KEYS_FILE?: string | undefined;
  readonly DATA_PLAIN: 'read' | 'refuse';
}

/** A `lower` that was set above its `upper` would never be reached. */
const ordered: readonly {
  readonly lower: keyof Durations;
  readonly upper: keyof Durations;
  readonly effect: string;
}[] = [
  {
    lower: 'SESSION_IDLE_MS',
    upper: 'SESSION_ABSOLUTE_MS',
    effect: 'every session would end before it is idle',
  },
  {
    lower: 'SESSION_WARN_MS',
    upper: 'SESSION_IDLE_MS',
    effect: 'every session would be warned before it is idle',
  },
  {
    lower: 'GENERATION_FIRST_TOKEN_MS',
    upper: 'GENERATION_TOTAL_MS',
    effect: 'the model would never have that long to begin',
  },
  {
    lower: 'GENERATION_INTER_TOKEN_MS',
    upper: 'GENERATION_TOTAL_MS',
    effect: 'the model would never have that long between two tokens',
  },
];

export function contradictions(values: Values, given: ReadonlySet<string>): readonly string[] {
  const reversed = ordered.flatMap(({ lower, upper, effect }) => {
    const isMeant = given.has(lower) && values[lower] > values[upper];
    return isMeant ? [`${lower}=${values[lower]} is above ${upper}=${values[upper]}: ${effect}`] : [];
  });
  return [...reversed, ...rolloutProblems(values), ...keyProblems(values)];
}

function rolloutProblems(values: Values): readonly string[] {
  const { STORE_ROLLOUT: percent, STORE_ROLLOUT_URL: target } = values;
  if (target === undefined)
    return percent > 0 ? [`STORE_ROLLOUT=${percent} needs STORE_ROLLOUT_URL, which says where to`] : [];
  const source = values.REDIS_URL ?? `sqlite:${values.DATA_DIR}`;
  return source === target ? ['STORE_ROLLOUT_URL names the store that is in use already'] : [];
}

function keyProblems(values: Values): readonly string[] {
  const { DATA_KEYS: keys, DATA_KEYS_FILE: file, DATA_PLAIN: plain } = values;
  if (keys !== undefined && file !== undefined)
    return ['DATA_KEYS and DATA_KEYS_FILE are both set; one of them names the keys'];
  if (keys === undefined && file === undefined && plain === 'refuse')
    return ['DATA_PLAIN=refuse needs DATA_KEYS or DATA_KEYS_FILE: without keys everything is stored plain'];
  return [];
}
