import { neededAccess } from '../../machines/access.ts';
import { roles } from '../../src/identity/caller.ts';
import { type Permission, permissions, type Reach } from '../../src/identity/permissions.ts';
import { table } from './markdown.ts';

const CALLERS = ['stranger', ...roles] as const;

export function permissionsDocument(): string {
  const rows = Object.entries<Permission>(permissions);
  const routes = rows.filter(([operation]) => operation.includes(' '));
  const frames = rows.filter(([operation]) => !operation.includes(' '));
  return `# Permissions

With \`AUTH\` an instance decides by these tables, and by nothing that a client claims. This page is generated
(\`npm run docs\`) from [src/identity/permissions.ts](../src/identity/permissions.ts) and
[machines/access.ts](../machines/access.ts), which the code itself reads. Tests ask running instances
[every route](../test/security/identity/matrix.test.ts) and [every frame](../test/security/identity/matrix-frames.test.ts) as every kind of
caller. Without \`AUTH\`, which only an address of loopback allows, every client may do everything.

## Roles

A credential proves a subject, a role and, if tenants share the deployment, a tenant
([how](OPERATIONS.md#identity-roles-and-tenants)).

${table(
  ['role', 'held by', 'reaches'],
  [
    [
      'stranger',
      'a client without a valid credential',
      'probes, documents and the chat page, which asks for a credential',
    ],
    ['user', 'a person', 'their own sessions, and those that are shared with them'],
    [
      'service',
      'a back end',
      'the sessions of the user that it names: in `rehydra-user` over HTTP, in `hello.user_id` on a socket',
    ],
    [
      'auditor',
      'a person or a program that reads figures',
      'states, figures, metrics and lists, never what people wrote',
    ],
    ['admin', 'an operator', 'all sessions of its tenant, to read, end and erase them; it joins none'],
  ],
)}

A back end that names no user opens sessions that belong to no user. Every back end of the tenant that knows the id of such a
session reaches it, and the first one that names a user in it gives it to that user. A person never reaches it before that,
and \`DELETE /api/users/:id\` does not find it.

No role reaches beyond its own tenant. Only \`/metrics\` counts all tenants together.

## Routes

\`own\`: the sessions of the user for whom the caller acts, and those shared with that user. The service refuses a stranger
with \`unauthenticated\` and any other caller with \`forbidden\`.

${table(
  ['route', ...CALLERS, 'with `ADMIN_PORT`'],
  routes.map(([operation, permission]) => [
    `\`${operation}\``,
    ...CALLERS.map((caller) => reachIn(permission[caller])),
    portOf(permission),
  ]),
)}

- An auditor gets no snippets in \`GET /api/archive\` and may not search for words there. In \`GET /api/analytics\` it gets no
  beginnings of questions.
- \`/healthz\` names store, model servers and instance to auditors and administrators only; others get \`status\` and
  \`draining\`.
- \`client_id\` of a session is shown to its owner only.
- On the port for operators, \`/metrics\` needs no credential: Prometheus has none.

## Frames

A socket shows its credential with the upgrade or in \`hello\`; [PROTOCOL.md](PROTOCOL.md) describes the frames.

${table(
  ['frame', ...CALLERS],
  frames.map(([frame, permission]) => [
    `\`${frame}\``,
    ...CALLERS.map((caller) => reachIn(permission[caller])),
  ]),
)}

## Within a session

The statechart decides once more, with the access of the event's author: its owner, a guest who may write, or a guest who
may only read. It refuses with \`forbidden\`. Administrators act without an author, through the routes above.

${table(
  ['event', 'sent by', 'guest, read', 'guest, write', 'owner'],
  Object.entries(neededAccess).map(([event, needed]) => [
    `\`${event}\``,
    SENT_BY[event as keyof typeof neededAccess],
    ...ACCESSES.map((access) => (mayDo(needed, access) ? 'yes' : '–')),
  ]),
)}

## Rights

\`rights\` limit an API key further: \`npm run api-key -- new keys.json reports service --rights 'GET /api/sessions'\`. A
right is the name of a route as it is above, or \`hello\`, which opens all frames. Rights give a role nothing that its row
does not give.
`;
}

function reachIn(reach: Reach): string {
  return { all: 'yes', own: 'own', none: '–' }[reach];
}

function portOf({ listener }: Permission): string {
  if (listener === undefined) return 'main port';
  return { admin: 'port for operators', both: 'both' }[listener];
}

const ACCESSES = ['read', 'write', 'owner'] as const;

function mayDo(needed: (typeof neededAccess)['attach'], access: (typeof ACCESSES)[number]): boolean {
  return needed !== 'instance' && ACCESSES.indexOf(access) >= ACCESSES.indexOf(needed);
}

/** How a client sends each event. A new event does not compile without its row. */
const SENT_BY: Readonly<Record<keyof typeof neededAccess, string>> = {
  attach: '`hello`, `POST /api/protocol`, `POST /api/chat`, `POST /api/ag-ui`, `POST /v1/responses`',
  message: '`message`, `POST /api/protocol`, `POST /api/chat`, `POST /api/ag-ui`, `POST /v1/responses`',
  regenerate: '`regenerate`, `POST /v1/sessions/:id/regenerate`, `POST /api/chat`',
  fork: '`fork`, `POST /v1/sessions/:id/fork`, `POST /v1/responses` after an older response',
  cancel: '`cancel`, `POST /api/chat/:id/stop`, `POST /api/ag-ui/:id/stop`, `POST /v1/responses/:id/cancel`',
  extend: '`extend`',
  close: '`close`, `DELETE /api/session/:id`, `DELETE /v1/conversations/:id`',
  share: '`POST /api/session/:id/shares`',
  unshare: '`DELETE /api/session/:id/shares/:share`',
  detach: 'instances only',
  summarised: 'instances only',
  recover: 'instances only',
};
