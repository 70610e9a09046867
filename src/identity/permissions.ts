/**
 * Permissions is the one table of routes and frames × roles. HTTP and sockets decide by it, docs/PERMISSIONS.md prints it,
 * and a test asks every cell of a running instance.
 *
 * A role reaches only its own tenant. Within a session, the machine's table of access (machines/access.ts) decides further.
 */
import type { Caller, Role } from './caller.ts';

/** `own`: the sessions of the user for whom the caller acts, and those shared with that user. */
export type Reach = 'all' | 'own' | 'none';

export interface Permission extends Readonly<Record<Role, Reach>> {
  /** Without a credential. */
  readonly stranger: Reach;
  /** The listener that serves the route, if operators have one of their own. Absent: the main one. */
  readonly listener?: 'admin' | 'both';
}

const everyone: Permission = {
  stranger: 'all',
  user: 'all',
  service: 'all',
  auditor: 'all',
  admin: 'all',
};

/** With a credential only. */
const known = (user: Reach, service: Reach, auditor: Reach, admin: Reach): Permission => ({
  stranger: 'none',
  user,
  service,
  auditor,
  admin,
});

const administrative = (auditor: Reach): Permission => ({
  ...known('none', 'none', auditor, 'all'),
  listener: 'admin',
});

/** A user joins a conversation, or a back end that acts for one. */
const inConversation = known('own', 'own', 'none', 'none');
/** Probes ask either listener. An operator who found a conversation in a list reads it at the same address. */
const onBoth = (permission: Permission): Permission => ({ ...permission, listener: 'both' });

const figures = administrative('all');

export const permissions = {
  // Frames; `hello` opens the way for the others.
  hello: inConversation,
  message: inConversation,
  regenerate: inConversation,
  fork: inConversation,
  /** The field of a message or a request, whichever way it comes: it changes what the operator's prompt says. */
  instructions: known('none', 'own', 'none', 'none'),
  cancel: inConversation,
  extend: inConversation,
  close: inConversation,
  ping: everyone,
  authenticate: inConversation,
  // Routes.
  'GET /healthz': onBoth(everyone),
  'GET /readyz': onBoth(everyone),
  'GET /openapi.json': onBoth(everyone),
  'GET /asyncapi.json': everyone,
  // The chat, which is a page of clients: not at the port of operators.
  'GET /': everyone,
  'GET /chat/chat.js': everyone,
  'GET /chat/chat.css': everyone,
  'GET /chat/icon.svg': everyone,
  'GET /docs': onBoth(everyone),
  'GET /docs/reference.js': onBoth(everyone),
  'GET /docs/swagger-ui.css': onBoth(everyone),
  'GET /docs/swagger-ui-bundle.js': onBoth(everyone),
  'POST /api/protocol': inConversation,
  'POST /v1/sessions': inConversation,
  'POST /v1/sessions/:id/messages': inConversation,
  'POST /v1/sessions/:id/regenerate': inConversation,
  'POST /v1/sessions/:id/fork': inConversation,
  'POST /v1/sessions/:id/cancel': inConversation,
  'POST /v1/sessions/:id/extend': inConversation,
  'GET /v1/sessions/:id/events': inConversation,
  'POST /api/chat': inConversation,
  'GET /api/chat/:id': inConversation,
  'GET /api/chat/:id/stream': inConversation,
  'POST /api/chat/:id/stop': inConversation,
  'POST /api/ag-ui': inConversation,
  'GET /api/ag-ui': inConversation,
  'POST /api/ag-ui/:id/stop': inConversation,
  'POST /v1/responses': inConversation,
  'GET /v1/responses/:id': inConversation,
  'DELETE /v1/responses/:id': inConversation,
  'POST /v1/responses/:id/cancel': inConversation,
  'GET /v1/responses/:id/input_items': inConversation,
  'POST /v1/conversations': inConversation,
  'GET /v1/conversations/:id': inConversation,
  'POST /v1/conversations/:id': inConversation,
  'DELETE /v1/conversations/:id': inConversation,
  'GET /v1/conversations/:id/items': inConversation,
  'POST /v1/conversations/:id/items': inConversation,
  'GET /v1/conversations/:id/items/:item': inConversation,
  'DELETE /v1/conversations/:id/items/:item': inConversation,
  'GET /v1/models': known('all', 'all', 'all', 'all'),
  'GET /api/session/:id': onBoth(known('own', 'own', 'all', 'all')),
  'DELETE /api/session/:id': known('own', 'own', 'none', 'all'),
  /** It rewrites files of store and archive, so no user may repeat it. */
  'DELETE /api/session/:id?erase=true': known('none', 'none', 'none', 'all'),
  'GET /api/session/:id/transcript': known('own', 'own', 'none', 'all'),
  /** It has no words, so an auditor reads it. */
  'GET /api/session/:id/history': onBoth(known('own', 'own', 'all', 'all')),
  'POST /api/session/:id/shares': inConversation,
  'GET /api/session/:id/shares': known('own', 'own', 'all', 'all'),
  'DELETE /api/session/:id/shares/:share': known('own', 'own', 'none', 'all'),
  'GET /api/sessions': onBoth(known('own', 'own', 'all', 'all')),
  'GET /api/archive/:id': onBoth(known('own', 'own', 'none', 'all')),
  /** An auditor gets no snippet and may not search for words. */
  'GET /api/archive': administrative('all'),
  'GET /api/archive/export': administrative('none'),
  'DELETE /api/users/:id': administrative('none'),
  /** An auditor gets no words of questions. */
  'GET /api/analytics': figures,
  'GET /metrics': figures,
  'GET /dashboard': figures,
  'GET /dashboard/dashboard.css': figures,
  'GET /dashboard/dashboard.js': figures,
  'GET /dashboard/icon.svg': figures,
  'GET /dashboard/chart.js': figures,
} as const satisfies Readonly<Record<string, Permission>>;

export type Operation = keyof typeof permissions;

export function isOperation(name: string): name is Operation {
  return Object.hasOwn(permissions, name);
}

/** Whether a credential can be limited to it. `hello` opens all frames, so no other frame is a right. */
export function isRight(name: string): name is Operation {
  return isOperation(name) && rightFor(name) === name;
}

/** How far the caller may reach with the operation. A credential with `rights` may do nothing else; `hello` opens all frames. */
export function reachOf(
  caller: Caller,
  operation: Operation,
  permission: Permission = permissions[operation],
): Reach {
  switch (caller.kind) {
    case 'open':
      return 'all';
    case 'stranger':
      return permission.stranger;
    case 'identified':
      return permission.stranger === 'none' && caller.rights?.has(rightFor(operation)) === false
        ? 'none'
        : permission[caller.role];
  }
}

/** False for an auditor: it reads figures and histories without what people wrote. */
export function readsWords(caller: Caller): boolean {
  return caller.kind === 'open' || (caller.kind === 'identified' && caller.role !== 'auditor');
}

/** Whether `/healthz` names store, model servers and instance to the caller. */
export function readsDeployment(caller: Caller): boolean {
  return (
    caller.kind === 'open' ||
    (caller.kind === 'identified' && (caller.role === 'auditor' || caller.role === 'admin'))
  );
}

function rightFor(operation: Operation): Operation {
  return operation.includes(' ') ? operation : 'hello';
}
