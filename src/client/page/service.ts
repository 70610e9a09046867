/** Service asks the routes of HTTP that the page needs beside its socket. */
export interface Proof {
  readonly token: string | null;
  /** Named by the page where the server proves no users. */
  readonly userId: string | null;
}

export interface Share {
  readonly share_id: string;
  readonly user_id: string;
  readonly access: 'read' | 'write';
  readonly expires_at: number;
}

export interface ListedSession {
  readonly session_id: string;
  readonly created_at: number;
  readonly conversation_count: number;
}

export type Format = 'markdown' | 'json' | 'fhir-communication';

export class Service {
  readonly #proof: () => Proof;

  constructor(proof: () => Proof) {
    this.#proof = proof;
  }

  async shares(sessionId: string): Promise<readonly Share[]> {
    const { shares } = await this.#json<{ shares: readonly Share[] }>(`/api/session/${sessionId}/shares`);
    return shares;
  }

  share(sessionId: string, userId: string, access: Share['access'], forMs: number): Promise<Share> {
    const { userId: owner, token } = this.#proof();
    const by = token === null && owner !== null ? { invited_by: owner } : {};
    const body = JSON.stringify({ user_id: userId, access, expires_in_ms: forMs, ...by });
    return this.#json(`/api/session/${sessionId}/shares`, { method: 'POST', body });
  }

  async revoke(sessionId: string, shareId: string): Promise<void> {
    const { userId: owner, token } = this.#proof();
    const by = token === null && owner !== null ? `?revoked_by=${encodeURIComponent(owner)}` : '';
    await this.#ask(`/api/session/${sessionId}/shares/${shareId}${by}`, { method: 'DELETE' });
  }

  async sessions(userId: string | null): Promise<readonly ListedSession[]> {
    const of = userId === null ? '' : `?user_id=${encodeURIComponent(userId)}`;
    const { sessions } = await this.#json<{ sessions: readonly ListedSession[] }>(`/api/sessions${of}`);
    return sessions;
  }

  async transcript(sessionId: string, format: Format): Promise<{ name: string; file: Blob }> {
    const answer = await this.#ask(`/api/session/${sessionId}/transcript?format=${format}`);
    const named = /filename="([^"]+)"/.exec(answer.headers.get('content-disposition') ?? '');
    return { name: named?.[1] ?? `${sessionId}.txt`, file: await answer.blob() };
  }

  async #json<T>(path: string, init: RequestInit = {}): Promise<T> {
    return (await (await this.#ask(path, init)).json()) as T;
  }

  /** Throws an error whose message a user can read. */
  async #ask(path: string, init: RequestInit = {}): Promise<Response> {
    const { token, userId } = this.#proof();
    const answer = await fetch(path, {
      ...init,
      headers: {
        ...(init.body === undefined ? {} : { 'content-type': 'application/json' }),
        ...(token === null ? {} : { authorization: `Bearer ${token}` }),
        ...(token === null && userId !== null ? { 'rehydra-user': encodeURIComponent(userId) } : {}),
      },
    });
    if (answer.ok) return answer;
    const problem = (await answer.json().catch(() => null)) as { error?: { message?: string } } | null;
    throw new Error(problem?.error?.message ?? `The server answered ${answer.status}.`);
  }
}
