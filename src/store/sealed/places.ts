/** Where a sealed text belongs within its session: it opens in no other place, so nothing can be moved or swapped. */
export const places = {
  snapshot: (version: number) => `snapshot/${version}`,
  frame: (offset: number) => `frame/${offset}`,
  said: (turnId: string, role: string) => `said/${role}/${turnId}`,
  inbox: 'inbox',
} as const;
