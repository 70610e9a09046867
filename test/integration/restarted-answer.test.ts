/** A model server breaks off and starts the answer over: each kind of client ends with the answer exactly once. */
import { randomUUID } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { TestClient } from '../support/instance/client.ts';
import { ask, get, readEvents } from '../support/instance/http.ts';
import { startInstance, startSimulatorProcess } from '../support/instance/instance.ts';
import { started } from '../support/instance/started.ts';

const [simulator] = started(() =>
  startSimulatorProcess({ SIMULATOR_TOKENS: '40', SIMULATOR_TOKENS_PER_SECOND: '0' }),
);
const [instance] = started(() => startInstance({ VLLM_BASE_URL: simulator.url }));

/** The server gives no token ids, breaks off once after nine tokens, and starts over instead of continuing. */
const question = (words: string) =>
  `[[fault:no-ids,continuation=ignore]] [[fault:truncate-after=9,times=1]] ${words}`;
const timesBegun = (text: string) => text.split('You said').length - 1;

describe('answer that starts over', () => {
  it('an answer that starts over reaches a WebSocket client exactly once, after a second turn.started', async () => {
    const client = await TestClient.greet(instance.url, { after: 0 });
    client.send({ type: 'message', id: randomUUID(), content: question('chest pain') });
    await client.waitForType('turn.completed');
    const frames = client.durable;
    const starts = frames.filter((frame) => frame.type === 'turn.started');
    expect(starts.map((frame) => frame.restarts)).toEqual([undefined, 1]);
    expect(starts[1]).toMatchObject({ turn_id: starts[0]?.turn_id, content: starts[0]?.content });
    const after = frames.slice(frames.findLastIndex((frame) => frame.type === 'turn.started'));
    const text = after.map((frame) => (frame.type === 'delta' ? frame.text : '')).join('');
    expect(text).toMatch(/^You said: chest pain\..{40,}$/s);
    expect(timesBegun(text)).toBe(1);
    await client.close();
  });

  it('an answer that starts over is exactly once in the HTTP answer and in the transcript', async () => {
    const session_id = randomUUID();
    const body = { session_id, chief_complaint: question('a headache') };
    const { protocol } = await ask(instance.http, body);
    expect(timesBegun(protocol)).toBe(1);
    const transcript = await get(`${instance.http}/api/session/${session_id}/transcript`);
    expect(JSON.stringify(transcript.body)).toContain(JSON.stringify(protocol).slice(1, -1));
  });

  it('an answer that starts over announces it with a second turn.started in a stream', async () => {
    const body = { session_id: randomUUID(), chief_complaint: question('a cough') };
    const events = await readEvents({ url: `${instance.http}/api/protocol`, body });
    const restart = events.findIndex(({ frame }) => frame.type === 'turn.started' && frame.restarts === 1);
    expect(events[restart]?.event).toBe('turn.started');
    const texts = events.slice(restart).map(({ frame }) => (frame.type === 'delta' ? frame.text : ''));
    expect(timesBegun(texts.join(''))).toBe(1);
  });
});
