/** Holds a consultation over `POST /api/protocol`: one session, printed turn by turn. */

/** One turn of a clinician: in their own words, and as data. */
export interface ClinicianTurn {
  readonly words: string;
  readonly data: Readonly<Record<string, unknown>>;
}

interface Answer {
  readonly protocol: string;
  readonly session_id: string;
  readonly patient_summary: Readonly<Record<string, unknown>>;
  readonly metadata: {
    readonly conversation_count: number;
    readonly model: string;
    readonly inference_time_ms: number;
    readonly simulated: boolean;
  };
}

/** Empty: the service needs no credential. */
const { REHYDRA_TOKEN: token = '' } = process.env;
const base = (process.env.REHYDRA_URL ?? 'http://127.0.0.1:8080').replace(/\/+$/, '');

export async function converse(title: string, turns: readonly ClinicianTurn[]): Promise<void> {
  say(`# ${title}`);
  let sessionId: string | null = null;
  for (const { words, data } of turns) {
    say(`\nDoctor: ${words}`);
    const answer: Answer = await ask({ ...data, ...(sessionId === null ? {} : { session_id: sessionId }) });
    const { metadata } = answer;
    sessionId = answer.session_id;
    say(`Rehydra: ${answer.protocol}`);
    const made = metadata.simulated ? ', SIMULATED' : '';
    say(
      `(turn ${metadata.conversation_count}, ${metadata.model}${made}, ${Math.round(metadata.inference_time_ms)} ms)`,
    );
    say(`(known: ${JSON.stringify(answer.patient_summary)})`);
  }
  say(`\nSession ${sessionId}; its transcript: ${base}/api/session/${sessionId}/transcript?format=markdown`);
}

async function ask(body: Readonly<Record<string, unknown>>): Promise<Answer> {
  const request = fetch(`${base}/api/protocol`, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      ...(token === '' ? {} : { authorization: `Bearer ${token}` }),
      // A client that lost the answer repeats the request with the same key, and gets the same turn.
      'idempotency-key': crypto.randomUUID(),
    },
    body: JSON.stringify(body),
  });
  const response = await request.catch(noServer);
  if (response.status === 401)
    fail('the service needs a credential: set REHYDRA_TOKEN to a token or an API key');
  const text = await response.text();
  if (!response.ok) throw new Error(`${response.status} ${text}`);
  return JSON.parse(text) as Answer;
}

function noServer(error: unknown): never {
  const { cause } = error as { readonly cause?: { readonly code?: string } };
  const reason = cause?.code === undefined ? '' : ` (${cause.code})`;
  fail(`no answer from ${base}${reason}: start Rehydra with npm start, or set REHYDRA_URL`);
}

function fail(line: string): never {
  process.stderr.write(`${line}\n`);
  process.exit(1);
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}
