/** Describes in the OpenAPI and AsyncAPI documents how a client shows its credential, and for whom it acts. */
import type { Json } from './schema-book.ts';

/** Names the user for whom a service acts, percent-encoded: headers carry ASCII only. */
export const USER_HEADER = 'rehydra-user';

/** How a route's credential is described. */
export interface CredentialDescription {
  /** A browser shows the bearer as a password when its user opens a page. */
  readonly acceptsBasic: boolean;
  /** A back end names the user for whom it acts. */
  readonly actsForUser: boolean;
}

const WITHOUT_AUTH = 'Without `AUTH` the service serves its own machine only, and needs no credential.';

export const openapiSchemes: Json = {
  bearer: {
    type: 'http',
    scheme: 'bearer',
    description: `A token of the identity provider, or an API key. ${WITHOUT_AUTH}`,
  },
  basic: {
    type: 'http',
    scheme: 'basic',
    description: 'For browsers: any name, and the bearer as the password.',
  },
};

export const asyncapiSchemes: Json = {
  bearer: {
    type: 'http',
    scheme: 'bearer',
    description: `A token of the identity provider, or an API key: in \`Authorization\` of the upgrade, in \`hello.token\`, or as sub-protocol \`rehydra.bearer.<token>\`. ${WITHOUT_AUTH}`,
  },
};

/** A client needs one of the schemes. */
export function securityOf({ acceptsBasic }: CredentialDescription): readonly Json[] {
  return [{ bearer: [] }, ...(acceptsBasic ? [{ basic: [] }] : [])];
}

export function actingParameters({ actsForUser }: CredentialDescription): readonly Json[] {
  if (!actsForUser) return [];
  return [
    {
      name: USER_HEADER,
      in: 'header',
      description:
        'User for whom a back end (role `service`) acts, percent-encoded. The credential of a user names that user already.',
      required: false,
      schema: { type: 'string' },
    },
  ];
}
