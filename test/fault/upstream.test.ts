/** A model server dies, stalls or sends nonsense in mid-answer: the turn still completes, or it ends as failed. */
import { describe, expect, it } from 'vitest';
import { startInstance, startSimulatorProcess } from '../support/instance/instance.ts';
import { plainAnswer } from '../support/instance/observed.ts';
import { ReconnectingClient, type SentMessage } from '../support/instance/reconnecting-client.ts';
import { started } from '../support/instance/started.ts';
import { tell } from './chaos/figures.ts';
import { differences, exchange } from './chaos/oracle.ts';

const CLIENTS = 20;
const pace = { SIMULATOR_TOKENS: '80', SIMULATOR_TOKENS_PER_SECOND: '40' };
/** Longer than a busy machine takes for a token: a false stall would resume the turn once more. */
const patience = { GENERATION_INTER_TOKEN_MS: '4000', GENERATION_FIRST_TOKEN_MS: '8000' };
const [simulator] = started(() => startSimulatorProcess(pace));
const [instance] = started(() => startInstance({ VLLM_BASE_URL: simulator.url, ...patience }));

interface Asked {
  readonly client: ReconnectingClient;
  readonly said: SentMessage;
}

async function ask(url: string, content: string): Promise<Asked> {
  const client = new ReconnectingClient({ urls: [url] });
  await client.welcomed();
  return { client, said: client.say(content) };
}

/** How often the turn resumed from its stored text, as its one `turn.completed` frame says. */
function resumed({ client, said }: Asked): number {
  const ended = client.frames.filter(
    (frame) => frame.type === 'turn.completed' && frame.message_id === said.id,
  );
  expect(ended).toHaveLength(1);
  return ended[0]?.type === 'turn.completed' ? ended[0].metadata.resumed : -1;
}

/** Compares with a simulator that has already spent the fault, because the fault is part of the conversation. */
async function expectExact(simulatorUrl: string, all: readonly Asked[]): Promise<void> {
  const conversations = all.map(({ client, said }) => [exchange(said.content, client.turnOf(said)!)]);
  expect(await differences(simulatorUrl, conversations)).toEqual([]);
  expect(all.flatMap(({ client }) => client.violations)).toEqual([]);
}

const faults = [
  'abort-after=5',
  'stall-after=7',
  'truncate-after=9',
  'reset-after=11',
  'error-after=13',
  'bad-json=6',
  'stall-first',
  '500',
  '502',
  '503',
  '429,retry-after=1',
] as const;

describe('model server', () => {
  it.each(faults)('a model server that fails once (%s) costs the answer no byte', async (fault) => {
    const asked = await ask(instance.url, `My knee is swollen. [[fault:${fault},times=1]]`);
    const turn = await asked.client.answered(asked.said);
    expect(turn.outcome).toEqual({ kind: 'completed', finishReason: 'stop' });
    expect(resumed(asked)).toBe(1);
    await expectExact(simulator.url, [asked]);
    asked.client.stop();
  });

  it('a model server that always fails ends the turn after a bounded number of attempts, and the partial answer stays', async () => {
    const { client, said } = await ask(instance.url, 'I fell from a ladder. [[fault:abort-after=5]]');
    const turn = await client.answered(said);
    expect(turn.outcome).toEqual({ kind: 'failed', code: 'upstream_aborted', retryable: true });
    expect(turn.text).not.toBe('');
    const whole = await plainAnswer(simulator.url, [{ role: 'user', content: 'I fell from a ladder.' }]);
    expect(whole.slice(0, 20)).toBe(turn.text.slice(0, 20));
    const attempts = client.frames.filter(({ type }) => type === 'turn.started');
    expect(attempts).toHaveLength(1);

    // The partial answer belongs to the conversation: the simulator's next answer depends on every word of it.
    const next = client.say('And now my back hurts.');
    const after = await client.answered(next);
    const conversation = [
      { role: 'user', content: said.content },
      { role: 'assistant', content: turn.text },
      { role: 'user', content: next.content },
    ] as const;
    expect(after.text).toBe(await plainAnswer(simulator.url, conversation));
    expect(await plainAnswer(simulator.url, [conversation[0], conversation[2]])).not.toBe(after.text);
    client.stop();
  });

  it('a model server that is killed in mid-answer leaves the rest to the other replica, exact to the byte', async () => {
    // Long enough that no answer ends before the last one has begun.
    const long = { ...pace, SIMULATOR_TOKENS: '320' };
    const replicas = [await startSimulatorProcess(long), await startSimulatorProcess(long)] as const;
    const both = await startInstance({
      VLLM_BASE_URL: replicas.map(({ url }) => url).join(','),
      ...patience,
    });
    try {
      const asked = await Promise.all(
        Array.from({ length: CLIENTS }, (_, index) => ask(both.url, `Patient ${index} has a fever.`)),
      );
      const begun = ({ client, said }: Asked) => (client.turnOf(said)?.text ?? '').length > 10;
      await Promise.all(asked.map((one) => one.client.until(() => begun(one), 'some text')));
      replicas[0].kill('SIGKILL');
      const turns = await Promise.all(asked.map(({ client, said }) => client.answered(said)));
      expect(turns.map(({ outcome }) => outcome.kind)).toEqual(turns.map(() => 'completed'));
      const moved = asked.filter((one) => resumed(one) >= 1).length;
      tell(`${moved} of ${CLIENTS} answers went on with the other replica`);
      expect(moved).toBeGreaterThan(0);
      await expectExact(replicas[1].url, asked);
      for (const { client } of asked) client.stop();
    } finally {
      await both.stop();
      for (const replica of replicas) await replica.stop();
    }
  });
});
