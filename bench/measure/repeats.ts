/** Contenders take turns, so that a machine that slows down slows all of them; each repeat begins with another. */
export async function inTurns<C, R>(
  contenders: readonly C[],
  repeats: number,
  measure: (contender: C, repeat: number) => Promise<R>,
): Promise<ReadonlyMap<C, readonly R[]>> {
  const results = new Map<C, R[]>(contenders.map((contender) => [contender, []]));
  for (let repeat = 0; repeat < repeats; repeat++) {
    const order = [
      ...contenders.slice(repeat % contenders.length),
      ...contenders.slice(0, repeat % contenders.length),
    ];
    for (const contender of order) results.get(contender)?.push(await measure(contender, repeat));
  }
  return results;
}
