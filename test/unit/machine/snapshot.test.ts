import { describe, expect, test } from 'vitest';
import {
  MACHINE_ID,
  MACHINE_VERSION,
  type Migrations,
  type StampedSnapshot,
  upgrade,
} from '../../../machines/versions.ts';
import { readSnapshot, type Snapshot, toSnapshot } from '../../../src/session/machine/snapshot.ts';
import { restoreState } from '../../../src/session/machine/step.ts';
import { goldenSessions } from '../../support/machine/golden-sessions.ts';

const stored: Snapshot = goldenSessions()['processing.recovering'] as Snapshot;
const openChanged = (changes: object) => readSnapshot(JSON.stringify({ ...stored, ...changes }));
const inContext = (changes: object) => openChanged({ context: { ...stored.context, ...changes } });

describe('stored snapshot', () => {
  test.each(Object.entries(goldenSessions()))('a snapshot is read as it was stored: %s', (_, snapshot) => {
    const opened = readSnapshot(JSON.stringify(snapshot));
    expect(opened).toEqual({ kind: 'opened', snapshot, migrated: false });
  });

  test.each(Object.entries(goldenSessions()))(
    'a snapshot is the same after it was restored and stored again: %s',
    (_, snapshot) => {
      const { value, context, timers, jobs, turnOffset } = snapshot;
      expect(toSnapshot(restoreState(value, context, timers, jobs), turnOffset)).toEqual(snapshot);
    },
  );

  test('a snapshot of a newer version is left to a newer instance', () => {
    expect(openChanged({ machineVersion: MACHINE_VERSION + 1 })).toEqual({
      kind: 'newer',
      version: MACHINE_VERSION + 1,
    });
  });

  test('a snapshot of a newer version is left alone whatever else it contains', () => {
    const json = JSON.stringify({ machine: MACHINE_ID, machineVersion: MACHINE_VERSION + 7, novel: true });
    expect(readSnapshot(json)).toEqual({ kind: 'newer', version: MACHINE_VERSION + 7 });
  });

  test.each([
    ['another machine', { machine: 'thermostat' }],
    ['no machine', { machine: undefined }],
    ['no version', { machineVersion: undefined }],
    ['version 0', { machineVersion: 0 }],
    ['half a version', { machineVersion: 0.5 }],
    ['a version in words', { machineVersion: '1' }],
    ['an unknown key', { surprise: 1 }],
    ['a deadline that is no time', { timers: { 'xstate.after.idleEnd': 'soon' } }],
    ['a job without a key', { jobs: { generation: { src: 'generation' } } }],
    ['no context', { context: null }],
  ])('a snapshot with %s is refused', (_, changes) => {
    expect(openChanged(changes)).toMatchObject({ kind: 'unreadable' });
  });

  test.each([
    ['a turn without an id', { turn: { ...stored.context.turn, id: undefined } }],
    ['a message of an unknown policy', { queue: [{ ...stored.context.queue[0], policy: 'hurry' }] }],
    ['a queue that is none', { queue: 'm1' }],
    ['a time in words', { createdAt: 'yesterday' }],
    ['limits with one missing', { limits: { ...stored.context.limits, queueMax: undefined } }],
    ['an unknown field', { mood: 'good' }],
    ['a field missing', { attached: undefined }],
  ])('a snapshot whose context has %s is refused', (_, changes) => {
    expect(inContext(changes)).toMatchObject({ kind: 'unreadable' });
  });

  test.each(['', '7', '"session"', '[]', '{', '{"machine":"session"'])(
    'a snapshot that is no object is refused: %s',
    (json) => {
      expect(readSnapshot(json)).toMatchObject({ kind: 'unreadable' });
    },
  );

  test('the refusal of a snapshot names its faults for the operator', () => {
    const opened = inContext({ createdAt: 'yesterday' });
    expect(opened).toMatchObject({ kind: 'unreadable', reason: expect.stringContaining('createdAt') });
  });

  test('a snapshot in an unknown state cannot be restored', () => {
    const opened = openChanged({ value: { processing: 'pondering' } });
    if (opened.kind !== 'opened') throw new Error('its form is right, only the machine can tell');
    const { value, context, timers, jobs } = opened.snapshot;
    expect(() => restoreState(value, context, timers, jobs)).toThrow(/pondering/);
  });
});

describe('migrations', () => {
  type Marked = StampedSnapshot & { readonly trail: readonly string[] };
  const mark =
    (name: string) =>
    (snapshot: StampedSnapshot): Marked => ({
      ...(snapshot as Marked),
      trail: [...((snapshot as Partial<Marked>).trail ?? []), name],
    });
  const steps: Migrations = { 1: mark('1→2'), 2: mark('2→3'), 3: mark('3→4') };
  const ofVersion = (machineVersion: number) => ({ machine: MACHINE_ID, machineVersion });

  test('migrations run in order from the stored version to the current one', () => {
    expect(upgrade(ofVersion(1), 4, steps)).toEqual({
      kind: 'migrated',
      from: 1,
      snapshot: { ...ofVersion(4), trail: ['1→2', '2→3', '3→4'] },
    });
    expect(upgrade(ofVersion(3), 4, steps)).toMatchObject({ snapshot: { trail: ['3→4'] } });
  });

  test('no migration runs for a snapshot of the current version', () => {
    expect(upgrade(ofVersion(4), 4, steps)).toEqual({ kind: 'current', snapshot: ofVersion(4) });
  });

  test('migrations stop at a missing version', () => {
    expect(upgrade(ofVersion(1), 3, { 2: mark('2→3') })).toMatchObject({ kind: 'unknown' });
  });

  test('migrations never lead to an older version', () => {
    expect(upgrade(ofVersion(3), 2, steps)).toEqual({ kind: 'newer', version: 3 });
  });

  test('migrations leave their input unchanged', () => {
    const snapshot = Object.freeze(ofVersion(1));
    upgrade(snapshot, 4, steps);
    expect(snapshot).toEqual(ofVersion(1));
  });

  test('a migrated snapshot is marked, so that its owner stores it before it serves the session', () => {
    const { mood: _, ...older } = { ...stored, mood: 'good', machineVersion: 1 };
    const addTurnOffset: Migrations = {
      1: (snapshot) => ({ ...snapshot, turnOffset: 5 }) as StampedSnapshot,
    };
    const opened = readSnapshot(JSON.stringify({ ...older, turnOffset: undefined }), (stamped) => {
      const upgraded = upgrade(stamped, 2, addTurnOffset);
      if (upgraded.kind !== 'migrated') return upgraded;
      // In this test the current schema plays the schema of version 2.
      return { ...upgraded, snapshot: { ...upgraded.snapshot, machineVersion: MACHINE_VERSION } };
    });
    expect(opened).toMatchObject({ kind: 'opened', migrated: true, snapshot: { turnOffset: 5 } });
  });

  test('a migration whose result the current machine cannot read is refused', () => {
    const ruin: Migrations = { 1: (snapshot) => ({ ...snapshot, context: {} }) as StampedSnapshot };
    const opened = readSnapshot(JSON.stringify({ ...stored, machineVersion: 1 }), (stamped) => {
      const upgraded = upgrade(stamped, 2, ruin);
      if (upgraded.kind !== 'migrated') return upgraded;
      return { ...upgraded, snapshot: { ...upgraded.snapshot, machineVersion: MACHINE_VERSION } };
    });
    expect(opened).toMatchObject({ kind: 'unreadable' });
  });
});
