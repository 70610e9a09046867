/** The curl commands of docs/HTTP.md work as they stand: a shell that gets the page's blocks talks to an instance. */
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';
import { curlSteps } from '../../scripts/docs/curl.ts';
import { startInstance } from '../support/instance/instance.ts';
import { started } from '../support/instance/started.ts';

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
const MARK = '--- next block';

// An answer takes five seconds: long enough to be cancelled after one.
const [instance] = started(() =>
  startInstance({ SIMULATOR_TOKENS: '200', SIMULATOR_TOKENS_PER_SECOND: '40' }),
);

function blocks(): readonly string[] {
  const page = readFileSync('docs/HTTP.md', 'utf8');
  const [, section = ''] = /^## With curl$([\s\S]*?)^## /m.exec(page) ?? [];
  return [...section.matchAll(/^```sh\n([\s\S]*?)^```$/gm)].map(([, block = '']) => block);
}

/** What each block prints. */
async function pasted(): Promise<readonly string[]> {
  const script = blocks().join(`\necho; echo '${MARK}'\n`);
  const { stdout } = await promisify(execFile)('sh', ['-c', script], {
    env: { PATH: process.env.PATH, REHYDRA: instance.http },
  });
  return stdout.split(`${MARK}\n`).map((output) => output.trim());
}

const eventsIn = (output: string) => [...output.matchAll(/^event: (.*)$/gm)].map(([, event]) => event);
const idsIn = (output: string) => [...output.matchAll(/^id: (.*)$/gm)].map(([, id]) => Number(id));

it('the curl commands of the page start a session, hold a conversation, and delete it', async () => {
  expect(blocks()).toHaveLength(curlSteps.length);
  const [
    address,
    id = '',
    answer = '',
    stream = '',
    edited = '',
    copy = '',
    extended = '',
    events = '',
    rest = '',
    said = '',
    deleted = '',
  ] = await pasted();
  expect(address).toBe('');
  expect(id).toMatch(UUID);
  expect(JSON.parse(answer)).toMatchObject({ session_id: id, message_id: 'first' });
  expect(eventsIn(stream)).toEqual(expect.arrayContaining(['turn.started', 'turn.cancelled']));
  expect(stream).toContain('"state":"cancelled"');
  expect(JSON.parse(edited)).toMatchObject({ session_id: id, message_id: 'third' });
  expect(edited).toContain('You said: What helps at night');
  expect(copy).toMatch(UUID);
  expect(copy).not.toBe(id);
  expect(JSON.parse(extended)).toMatchObject({ session_id: id, expires_at: expect.any(Number) });
  expect(eventsIn(events)).toEqual(
    expect.arrayContaining(['welcome', 'turn.completed', 'turn.cancelled', 'turn.retracted', 'state']),
  );
  const all = idsIn(events);
  expect(all).toEqual(all.map((_, index) => index + 1));
  expect(idsIn(rest).slice(0, 2)).toEqual([5, 6]);
  const { transcript } = JSON.parse(said) as { readonly transcript: readonly { readonly role: string }[] };
  expect(transcript.map(({ role }) => role)).toEqual(['user', 'assistant', 'user', 'assistant']);
  expect(
    deleted
      .replace('}{', '}\n{')
      .split('\n')
      .map((line) => JSON.parse(line)),
  ).toEqual([
    { session_id: copy, deleted: true },
    { session_id: id, deleted: true },
  ]);
});
