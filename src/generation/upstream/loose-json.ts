/** loose-json reads JSON of unknown shape: servers and gateways omit, rename and null fields at will. */
export type Loose = Readonly<Record<string, unknown>>;

/** undefined: the text is not JSON. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

export function isRecord(value: unknown): value is Loose {
  return typeof value === 'object' && value !== null;
}

export function recordIn(value: unknown): Loose {
  return isRecord(value) ? value : {};
}

export function stringIn(value: unknown): string | null {
  return typeof value === 'string' ? value : null;
}

export function positiveIn(value: unknown): number | null {
  return typeof value === 'number' && Number.isFinite(value) && value > 0 ? value : null;
}
