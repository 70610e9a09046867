/**
 * Tenants of a deployment. Most have one, the default tenant: its name is empty, and what is stored of it leaves the name
 * out, as all that was stored before there were tenants.
 */

/** The field of an event or a context that names its tenant. */
export const tenantField = (tenant: string | undefined): { readonly tenant?: string } =>
  tenant === undefined || tenant === '' ? {} : { tenant };

export const isSameTenant = (one: string | undefined, other: string | undefined): boolean =>
  (one ?? '') === (other ?? '');
