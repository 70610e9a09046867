/** A consultation over `POST /api/protocol`: one session, turn after turn, printed as it goes. */

/** What a clinician says in one turn, in their own words, and as data. */
export interface Said {
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

const base = (process.env.REHYDRA_URL ?? 'http://127.0.0.1:8080').replace(/\/+$/, '');

export async function converse(title: string, turns: readonly Said[]): Promise<void> {
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
  say(`\nSession ${sessionId}; what was said: ${base}/api/session/${sessionId}/transcript?format=markdown`);
}

async function ask(body: Readonly<Record<string, unknown>>): Promise<Answer> {
  const response = await fetch(`${base}/api/protocol`, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      // A request that is repeated because its answer was lost is answered with the same turn.
      'idempotency-key': crypto.randomUUID(),
    },
    body: JSON.stringify(body),
  });
  const text = await response.text();
  if (!response.ok) throw new Error(`${response.status} ${text}`);
  return JSON.parse(text) as Answer;
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}
