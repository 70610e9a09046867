/** Measures the memory of a quiet session with a connected client, asleep and awake. */
import { residents, scriptCalls } from './measure/counters.ts';
import type { Extent } from './measure/extent.ts';
import { INSPECTED, memoryOf } from './measure/heap.ts';
import type { Stage } from './measure/stage.ts';
import { readUsage, usageBetween } from './measure/usage.ts';
import { figure, hundredths, type Row, type Section, table } from './report/table.ts';

/** The first sockets grow the memory that all share. */
const SHARE_FIRST = 0.2;
const GROUP = 'quiet';
const ASLEEP_WITHIN_MS = 30_000;
const NEVER_MS = '3600000';
const pause = (ms: number) => new Promise<void>((resume) => setTimeout(resume, ms));

export async function memory(stage: Stage, extent: Extent): Promise<Section> {
  const { silenceMs } = extent;
  const rows: Row[] = [];
  for (const [name, hibernateMs, awake] of [
    ['asleep: a socket only', '500', false],
    ['awake: socket and actor', NEVER_MS, true],
  ] as const) {
    const redis = await stage.redis();
    // With a short lease, the renewal of thousands of locks would be measured.
    const env = { HIBERNATE_MS: hibernateMs, LEASE_MS: '60000' };
    const program = await stage.service(redis, awake ? env : { HIBERNATE_MS: hibernateMs }, [INSPECTED]);
    const { generator } = stage;
    const settled = async (expected: number) => {
      const deadlineMs = performance.now() + ASLEEP_WITHIN_MS;
      while ((await residents(program)) !== expected) {
        if (performance.now() > deadlineMs) throw new Error(`${name}: never ${expected} resident sessions`);
        await pause(100);
      }
      return memoryOf(program);
    };
    const first = Math.round(extent.sockets * SHARE_FIRST);
    await generator.run('open', { group: GROUP, port: program.port, count: first });
    const before = await settled(awake ? first : 0);
    const { tookMs } = await generator.run('open', {
      group: GROUP,
      port: program.port,
      count: extent.sockets,
    });
    const after = await settled(awake ? first + extent.sockets : 0);
    const quietFrom = readUsage([program.pid]);
    const callsBefore = await scriptCalls(redis);
    await pause(silenceMs);
    const calls = (await scriptCalls(redis)) - callsBefore;
    const quiet = usageBetween(quietFrom, readUsage([program.pid]), 0);
    await generator.run('end', { group: GROUP, how: 'drop' });
    const each = (bytes: number) => `${figure(bytes / extent.sockets / 1024)} KiB`;
    rows.push([
      name,
      extent.sockets.toLocaleString('en-US'),
      each(after.rssBytes - before.rssBytes),
      each(after.heapBytes - before.heapBytes),
      `${figure(before.rssBytes / 2 ** 20)} MiB`,
      figure((extent.sockets / tookMs) * 1_000),
      hundredths((quiet.cpuMs[0] ?? 0) / silenceMs),
      figure((calls / silenceMs) * 1_000),
    ]);
    await stage.clear();
  }
  const words =
    'Resident and heap memory of the service after a full collection, before and after the added clients sent hello. ' +
    `Another ${(SHARE_FIRST * 100).toFixed(0)} % were connected before, so that pools and tables exist. The kernel's share of a socket is in neither. "quiet" is ${silenceMs / 1_000} s without a frame from any client; an awake session renews its lease, here one of 60 s.`;
  const head = [
    'sessions',
    'added',
    'RSS each',
    'heap each',
    'RSS before',
    'opened per s (32 in parallel)',
    'cores while quiet',
    'Redis calls per s while quiet',
  ];
  return { title: 'Memory of a quiet session', body: `${words}\n\n${table(head, rows)}` };
}
