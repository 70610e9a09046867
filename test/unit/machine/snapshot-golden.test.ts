/**
 * The golden files hold snapshots of every released version, as operators' stores do. Never change them: a machine
 * that cannot read them needs a new MACHINE_VERSION with a migration and with goldens of its own, which
 * `WRITE_GOLDENS=1 npx vitest run test/unit/machine/snapshot-golden.test.ts` adds.
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { MACHINE_VERSION } from '../../../machines/versions.ts';
import { readSnapshot } from '../../../src/session/machine/snapshot.ts';
import { restoreState } from '../../../src/session/machine/step.ts';
import { goldenSessions } from '../../support/machine/golden-sessions.ts';
import { SteppedSession } from '../../support/machine/stepped-session.ts';

const folder = fileURLToPath(new URL('../../golden', import.meta.url));
const sessions = goldenSessions();
const nameOf = (version: number, state: string): string => `session-v${version}-${state}.json`;

if (process.env.WRITE_GOLDENS === '1') {
  mkdirSync(folder, { recursive: true });
  for (const [state, snapshot] of Object.entries(sessions)) {
    const file = join(folder, nameOf(MACHINE_VERSION, state));
    if (!existsSync(file)) writeFileSync(file, `${JSON.stringify(snapshot, null, 2)}\n`);
  }
}

const files = existsSync(folder) ? readdirSync(folder).sort() : [];
const read = (file: string): string => readFileSync(join(folder, file), 'utf8');

test('there is a golden of every version in every state', () => {
  const versions = Array.from({ length: MACHINE_VERSION }, (_, index) => index + 1);
  const wanted = versions.flatMap((version) => Object.keys(sessions).map((state) => nameOf(version, state)));
  expect(files).toEqual(wanted.sort());
});

describe.each(files)('%s', (file) => {
  test('the golden snapshot is restored', () => {
    const opened = readSnapshot(read(file));
    expect(opened).toMatchObject({ kind: 'opened', migrated: !file.includes(`-v${MACHINE_VERSION}-`) });
    const { value } = restored(file);
    expect(file).toContain(
      Object.entries(value as object)
        .flat()
        .join('.'),
    );
  });

  test('the golden session lives on to its end', () => {
    const session = restored(file);
    for (let moves = 0; !session.isOver && moves < 20; moves++) {
      if (session.state.jobs.generation !== undefined) session.complete();
      else session.passToNext();
    }
    expect(session.isOver).toBe(true);
    expect(session.frames.at(-1)).toEqual({ type: 'expired', reason: 'idle' });
    const answered = session.frames.filter(({ type }) => type === 'turn.completed');
    const { turn, queue } = restored(file).context;
    expect(answered).toHaveLength((turn === null ? 0 : 1) + queue.length);
  });
});

describe('current machine', () => {
  test.each(Object.entries(sessions))(
    'a snapshot of the current machine has the shape of its golden: %s',
    (state, snapshot) => {
      expect(shapeOf(snapshot)).toEqual(shapeOf(JSON.parse(read(nameOf(MACHINE_VERSION, state)))));
    },
  );
});

function restored(file: string): SteppedSession {
  const opened = readSnapshot(read(file));
  if (opened.kind !== 'opened') throw new Error(`${file}: ${JSON.stringify(opened)}`);
  const { value, context, timers, jobs } = opened.snapshot;
  return new SteppedSession(
    { next: restoreState(value, context, timers, jobs), effects: [] },
    context.lastActivityAt,
  );
}

/** The names and types of all fields, and the state, without values that differ between two sessions. */
function shapeOf(value: unknown, name = ''): readonly string[] {
  if (name === '.value') return [`${name} ${JSON.stringify(value)}`];
  if (typeof value !== 'object' || value === null)
    return [`${name} ${value === null ? 'null' : typeof value}`];
  if (Array.isArray(value)) return [name, ...new Set(value.flatMap((item) => shapeOf(item, `${name}[]`)))];
  const inner = Object.keys(value)
    .sort()
    .flatMap((key) => shapeOf((value as Record<string, unknown>)[key], `${name}.${key}`));
  return [name, ...inner];
}
