/** A stream of one turn, on a whole instance in memory. */
import { expect, it } from 'vitest';
import type { HttpPorts } from '../../../src/http/core/ports.ts';
import { httpRoutes } from '../../../src/http/routes.ts';
import { OPEN } from '../../../src/identity/caller.ts';
import { unlimited } from '../../../src/limits/limits.ts';
import { openStage, type Stage } from '../../support/actor/stage.ts';
import { OUTPUT } from '../../support/machine/stepped-session.ts';

const SESSION = '6f1c2a9e-8a4e-4a57-9f0b-0d1f2c3b4a59';

function portsOf({ ports, clock }: Stage): HttpPorts {
  const rest = { unavailable: () => null, limits: unlimited, retryAfterMs: () => 100 };
  return { ...ports, ...ports.services, clock, ...rest } as unknown as HttpPorts;
}

async function streamOf(stage: Stage, written: string[]): Promise<void> {
  const route = httpRoutes(portsOf(stage)).find(({ path }) => path === '/v1/sessions/:id/messages');
  const headers: Readonly<Record<string, string>> = {
    'content-type': 'application/json',
    accept: 'text/event-stream',
  };
  const answer = await route?.answer({
    method: 'POST',
    path: route.path,
    query: new URLSearchParams(),
    params: { id: SESSION },
    header: (name) => headers[name] ?? '',
    lines: () => [],
    body: async () => JSON.stringify({ id: 'asked', content: 'What is it?' }),
    ...{ requestId: 'request', address: '192.0.2.1', peer: '192.0.2.1', caller: OPEN, reach: 'all' },
    ...{ userId: null, isDisabled: () => false, onGone() {}, failed() {} },
  });
  if (typeof answer?.body !== 'function') throw new Error(String(answer?.body));
  answer.body({
    write: (chunk) => written.push(chunk) > 0,
    drained: async () => true,
    end: () => written.push('(end)'),
    fail: () => written.push('(cut)'),
  });
}

it('a stream goes on in the log when its session gets a new owner in mid-answer', async () => {
  const stage = await openStage();
  try {
    const written: string[] = [];
    const streaming = streamOf(stage, written);
    await stage.settle();
    stage.generator.running?.say({ text: 'It is ' });
    await stage.advance(1_000);
    await streaming;
    stage.ports.services.hub.end(SESSION, 'session_moved');
    await stage.settle();
    stage.generator.running?.say({ text: 'nothing.' });
    await stage.advance(1_000);
    stage.generator.running?.end({ kind: 'completed', ...OUTPUT, finishReason: 'stop' });
    await stage.advance(1_000);
    const data = written
      .flatMap((text) => /^data: (.*)$/m.exec(text)?.[1] ?? [])
      .map((text) => JSON.parse(text));
    expect(data.map(({ type }) => type)).toEqual(['turn.started', 'delta', 'delta', 'turn.completed']);
    expect(data.map(({ text = '' }) => text).join('')).toBe('It is nothing.');
    expect(written.at(-1)).toBe('(end)');
  } finally {
    await stage.close();
  }
});
