import { setImmediate } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { logHealth } from '../../../src/analytics/health-log.ts';
import type { StoreHealth } from '../../../src/store/contract.ts';
import { VirtualClock } from '../../support/actor/virtual-clock.ts';

it('a store and an archive that stop taking writes and recover leave one line for each change', async () => {
  const clock = new VirtualClock(1_800_000_000_000);
  const lines: string[] = [];
  const write =
    (level: string) =>
    (...args: readonly unknown[]) =>
      void lines.push(`${level}: ${JSON.stringify(args)}`);
  let store: Pick<StoreHealth, 'ok' | 'detail'> = { ok: true };
  let archiveOk: boolean | Error = true;
  const stop = logHealth({
    store: { health: async () => ({ kind: 'sqlite', durability: 'file', ...store }) },
    archive: {
      health: async () => {
        if (archiveOk instanceof Error) throw archiveOk;
        return archiveOk;
      },
    },
    log: { error: write('error'), info: write('info') } as unknown as Parameters<typeof logHealth>[0]['log'],
    after: (delayMs, task) => clock.after(delayMs, task),
  });
  const pass = () => clock.advanceTo(clock.now() + 60_000, async () => void (await setImmediate()));
  await pass();
  expect(lines).toEqual([]);
  store = { ok: false, detail: 'the disk is full' };
  await pass();
  expect(lines.splice(0)).toEqual([expect.stringMatching(/^error: .*the disk is full.*takes no writes/)]);
  archiveOk = new Error('away');
  await pass();
  expect(lines.splice(0)).toEqual([expect.stringMatching(/^error: .*archive takes no writes/)]);
  store = { ok: true };
  archiveOk = true;
  await pass();
  expect(lines.splice(0)).toEqual([
    expect.stringMatching(/^info: .*store takes writes again/),
    expect.stringMatching(/^info: .*archive takes writes again/),
  ]);
  stop();
  store = { ok: false };
  await pass();
  expect(lines).toEqual([]);
});
