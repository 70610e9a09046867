import { expect, it } from 'vitest';
import { MACHINE_VERSION } from '../../../machines/versions.ts';
import { longSnapshot, shortSnapshot } from '../../../src/store/redis/texts/short-texts.ts';

const headOf = (version: number) => `{"machine":"session","machineVersion":${version},"value":{"`;

it.each([2, MACHINE_VERSION])(
  'the head of a snapshot of machine version %i takes one character in Redis, and comes back whole',
  (version) => {
    const snapshot = `${headOf(version)}connected":"fresh"},"context":{"sessionId":"a"}}`;
    const stored = shortSnapshot(snapshot);
    expect(stored.indexOf('connected')).toBe(1);
    expect(longSnapshot(stored)).toBe(snapshot);
  },
);
