/** A Payer is charged for an answer: the author of its message, or the user of the session where the author has no name. */
export interface Payer {
  /** Null: the session belongs to no user, so only the limits of its tenant apply. */
  readonly userId: string | null;
  /** Empty: the default tenant. */
  readonly tenant: string;
}

export function payerOf(
  author: string | null | undefined,
  { userId, tenant }: { readonly userId: string | null; readonly tenant?: string },
): Payer {
  return { userId: author ?? userId, tenant: tenant ?? '' };
}
