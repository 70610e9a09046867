import { expect, test } from 'vitest';
import { commitBytes } from '../../../bench/floor/commit-bytes.ts';
import { exchange } from '../../../bench/load/exchanges.ts';

const SESSION_ID = '0b0e6a0e-1c1d-4b5f-8d3c-2f1e0d9c8b7a';

test('the benchmark floor answers a restart with the frames of the commit that it stores', async () => {
  const { frames, args } = await commitBytes('restart', SESSION_ID, 'token');
  const { replyStart } = exchange('restart');

  expect(frames.map((frame) => (JSON.parse(frame) as { readonly type: string }).type)).toEqual([
    'turn.cancelled',
    'turn.started',
  ]);
  expect(frames.at(-1)?.startsWith(replyStart)).toBe(true);
  expect(args).toEqual(expect.arrayContaining([...frames]));
});

test('the benchmark floor stores what changes between two commits in its own place', async () => {
  const holesOf = async (workload: 'extend' | 'restart') => {
    const { args } = await commitBytes(workload, SESSION_ID, 'token');
    return args.flatMap((arg) => (typeof arg === 'string' ? [] : [arg.hole]));
  };

  expect(await holesOf('extend')).toEqual(['writeId', 'version', 'head']);
  expect(await holesOf('restart')).toEqual(['writeId', 'version', 'head', 'messageId']);
});
