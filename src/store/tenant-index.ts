/**
 * The index of a store lists and counts the sessions of all tenants; the tenant is a part of the names that it uses.
 *
 *  INDEX-1  The default tenant has plain names, as everything that was stored before there were tenants.
 *  INDEX-2  Names of two tenants never meet: a state has no `@`, a tenant neither space nor `@`, and a user id no control
 *           character.
 *
 * So a tenant costs no key, no column and no round trip of its own (docs/adr/0025).
 */

const STATE_MARK = '@';
const NAME_MARK = '\u001f';
/** The states of a stored session; an expired one is gone. */
const LIVING = ['connected', 'processing', 'idle'] as const;

export const indexState = (tenant: string, state: string): string =>
  tenant === '' ? state : `${state}${STATE_MARK}${tenant}`;

/** The states of a tenant's sessions: a listing with them has no session of another tenant. */
export const indexStates = (tenant: string): readonly string[] =>
  LIVING.map((state) => indexState(tenant, state));

/** A name that no other tenant has. */
export const nameIn = (tenant: string, name: string): string =>
  tenant === '' ? name : `${NAME_MARK}${tenant}${NAME_MARK}${name}`;

export const indexUser = (tenant: string, userId: string): string => nameIn(tenant, userId);

type Counts = Readonly<Record<string, number>>;

/** The counts of one tenant, by state. */
export function countsOf(tenant: string, byIndexState: Counts): Counts {
  const own = Object.entries(byIndexState).filter(([name]) => partsOf(name).tenant === tenant);
  return Object.fromEntries(own.map(([name, sessions]) => [partsOf(name).state, sessions]));
}

/** The counts of all tenants together, by state. */
export function countsOfAll(byIndexState: Counts): Counts {
  const counts: Record<string, number> = {};
  for (const [name, sessions] of Object.entries(byIndexState)) {
    const { state } = partsOf(name);
    counts[state] = (counts[state] ?? 0) + sessions;
  }
  return counts;
}

function partsOf(name: string): { readonly state: string; readonly tenant: string } {
  const at = name.indexOf(STATE_MARK);
  return at < 0 ? { state: name, tenant: '' } : { state: name.slice(0, at), tenant: name.slice(at + 1) };
}
