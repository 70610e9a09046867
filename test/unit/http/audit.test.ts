import { describe, expect, it } from 'vitest';
import type { Access, Audit } from '../../../src/audit/audit.ts';
import { type HttpAnswer, json, problem } from '../../../src/http/core/answer.ts';
import { withAudit } from '../../../src/http/core/audit.ts';
import { answer, type Route } from '../../../src/http/core/router.ts';
import { described } from '../../support/documented.ts';

const SESSION = '0b5f3c1e-6c0a-4a53-9d0a-6f5f0c9a1b2d';

interface Options {
  readonly path?: string;
  readonly method?: Route['method'];
  readonly lines?: Access[];
  /** Present: the audit log is strict, and its disk has or has no room. */
  readonly disk?: { hasRoom: boolean };
}

async function noted(reply: Route['answer'], options: Options = {}) {
  const { path = `/api/session/${SESSION}`, method = 'GET', lines = [], disk } = options;
  const failures: unknown[] = [];
  const hasRoom = () => disk?.hasRoom !== false;
  const note = (access: Access) => {
    lines.push(access);
    return hasRoom();
  };
  const audit: Audit = {
    note,
    begin: (access) => disk === undefined || (hasRoom() && note({ ...access, outcome: 'begun' })),
    refuses: () => !hasRoom(),
  };
  const route: Route = { method, path: '/api/session/:id', audit: 'read', answer: reply };
  const request = {
    method,
    path,
    query: new URLSearchParams(),
    header: () => '',
    lines: () => [],
    body: () => Promise.resolve(''),
    address: '192.0.2.1',
    peer: '192.0.2.1',
    onGone() {},
    failed: (error: unknown) => failures.push(error),
  };
  const given = await answer(withAudit(audit, [route]), request);
  return { lines, failures, given };
}

describe('the audit log of routes', () => {
  it('every API route that reads or changes sessions names its action for the audit log', () => {
    const isOfSessions = (path: string) => path.startsWith('/api/') || path.startsWith('/v1/');
    const silent = described.filter(({ path, audit }) => isOfSessions(path) && audit === undefined);
    // These routes write their own lines: one for joining the session and one for the message.
    const joining = [
      '/api/protocol',
      '/v1/sessions',
      '/v1/sessions/:id/messages',
      '/v1/sessions/:id/regenerate',
      '/v1/sessions/:id/events',
      '/api/chat',
      '/api/ag-ui',
      '/v1/responses',
      '/v1/conversations',
      '/v1/conversations/:id',
    ];
    // It tells of no session.
    const models = '/v1/models';
    expect(silent.map(({ path }) => path)).toEqual([...joining, models]);
    const loud = described.filter(({ path, audit }) => !isOfSessions(path) && audit !== undefined);
    expect(loud).toEqual([]);
  });

  it('without an audit log the routes stay unchanged', () => {
    expect(withAudit(null, described)).toBe(described);
  });

  it('an audit line names the route by its pattern, the session by its id and the refusal by its code', async () => {
    const { lines, given } = await noted(({ requestId }) => problem('session_not_found', requestId));
    expect(lines).toEqual([
      {
        action: 'read',
        outcome: 'session_not_found',
        sessionId: SESSION,
        userId: null,
        clientId: null,
        address: '192.0.2.1',
        channel: { kind: 'http', route: 'GET /api/session/:id', requestId: expect.any(String) },
      },
    ]);
    const channel = lines[0]?.channel;
    expect(String(given.body)).toContain(channel?.kind === 'http' ? channel.requestId : 'no route');
  });

  it.each<[string, HttpAnswer, string]>([
    ['200', json(200, {}), 'ok'],
    ['202, for another instance to finish,', json(202, {}), 'passed'],
  ])('an answer %s is audited as its outcome', async (_, reply, outcome) => {
    expect((await noted(() => reply)).lines).toMatchObject([{ outcome }]);
  });

  it('a route that throws is audited as internal, and its error is still reported', async () => {
    const broken = new Error('broken');
    const { lines, failures, given } = await noted(() => Promise.reject(broken));
    expect(lines).toMatchObject([{ action: 'read', outcome: 'internal', sessionId: SESSION }]);
    expect(failures).toEqual([broken]);
    expect(given.status).toBe(500);
  });

  it('a malformed request leaves no audit line, and a path that names no session leaves no text in one', async () => {
    expect((await noted(({ requestId }) => problem('bad_request', requestId))).lines).toEqual([]);
    const { lines } = await noted(() => json(200, {}), { path: '/api/session/my chest hurts' });
    expect(lines).toMatchObject([{ sessionId: null }]);
  });

  it('strict mode writes a line before a change and a line after it', async () => {
    const lines: Access[] = [];
    const route = () => {
      expect(lines).toMatchObject([{ action: 'read', outcome: 'begun', sessionId: SESSION }]);
      return json(200, {});
    };
    await noted(route, { method: 'DELETE', lines, disk: { hasRoom: true } });
    expect(lines.map(({ outcome }) => outcome)).toEqual(['begun', 'ok']);
  });

  it.each(['GET', 'POST', 'DELETE'] as const)(
    'strict mode answers a %s with audit_unavailable and does not run the route while the log cannot be written',
    async (method) => {
      let runs = 0;
      const route = () => {
        runs += 1;
        return json(200, {});
      };
      const { lines, given } = await noted(route, { method, disk: { hasRoom: false } });
      expect(given).toMatchObject({ status: 503, code: 'audit_unavailable' });
      expect(given.headers['retry-after']).toBe('1');
      expect(runs).toBe(0);
      expect(lines).toMatchObject([{ outcome: 'audit_unavailable' }]);
    },
  );

  it('strict mode sends nothing of what a route has read if its line could not be written', async () => {
    const disk = { hasRoom: true };
    const route = () => {
      disk.hasRoom = false;
      return json(200, { words: 'chest pain' });
    };
    const { given } = await noted(route, { disk });
    expect(given).toMatchObject({ status: 503, code: 'audit_unavailable' });
    expect(String(given.body)).not.toContain('chest pain');
  });

  it('a route adds to its audit line what only the route knows', async () => {
    const { lines } = await noted(({ about }) => {
      about?.({ userId: 'dr-a' });
      about?.({ action: 'erased_session', subjectUserId: 'dr-b' });
      return json(200, {});
    });
    expect(lines).toMatchObject([{ action: 'erased_session', userId: 'dr-a', subjectUserId: 'dr-b' }]);
  });
});
