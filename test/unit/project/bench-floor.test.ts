import { expect, test } from 'vitest';
import { type Write, writeBytes } from '../../../bench/contenders/write-bytes.ts';
import { exchange } from '../../../bench/load/exchanges.ts';
import { framesOf } from '../../../src/store/redis/texts/log-element.ts';

const fence = {
  sessionId: '0b0e6a0e-1c1d-4b5f-8d3c-2f1e0d9c8b7a',
  instance: 'a1b2c3d4e5f6',
  token: 'token',
  epoch: 1,
};
const typesOf = (frames: readonly string[]) =>
  frames.map((frame) => (JSON.parse(frame) as { readonly type: string }).type);

test('the benchmark floor answers a turn with the frames of the writes that it stores', async () => {
  const message = await writeBytes('message', fence);
  const append = await writeBytes('append', fence);
  const completed = await writeBytes('completed', fence);

  expect(typesOf(message.frames)).toEqual(['state', 'turn.started']);
  expect(typesOf(append.frames)).toEqual(['delta']);
  expect(typesOf(completed.frames)).toEqual(['turn.completed', 'state']);
  expect(completed.frames[0]?.startsWith(exchange('turn', 'rehydra').replyStart)).toBe(true);
  const { offset } = JSON.parse(message.frames[0] ?? '') as { readonly offset: number };
  const stored = framesOf(offset, message.args.slice(-message.frames.length).map(String));
  expect(stored.map((frame) => frame.data)).toEqual(message.frames);
});

test('the benchmark floor stores what changes between two writes in its own place', async () => {
  const holesOf = async (write: Write) => {
    const { args } = await writeBytes(write, fence);
    return args.flatMap((arg) => (typeof arg === 'string' ? [] : [arg.hole])).sort();
  };

  expect(await holesOf('extend')).toEqual(['head', 'version', 'writeId']);
  expect(await holesOf('message')).toEqual(['head', 'messageId', 'version', 'writeId']);
  expect(await holesOf('append')).toEqual(['head', 'text', 'writeId']);
  expect(await holesOf('completed')).toEqual(['head', 'version', 'writeId']);
});
