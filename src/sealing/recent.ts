/** What was worked out lately, so that it isn't worked out for every frame of a session. */
export type Recent<Value> = (key: string) => Value;

/** Holds between one and two times `atLeast`: two generations cost less at each look than an order of use. */
export function recent<Value>(atLeast: number, make: (key: string) => Value): Recent<Value> {
  let young = new Map<string, Value>();
  let old = new Map<string, Value>();
  return (key) => {
    const known = young.get(key);
    if (known !== undefined) return known;
    const value = old.get(key) ?? make(key);
    if (young.size >= atLeast) {
      old = young;
      young = new Map();
    }
    young.set(key, value);
    return value;
  };
}
