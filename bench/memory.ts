/** Measures the memory of a quiet session with a connected client: asleep, awake, and beside the other contenders. */
import { SERVICE, startDocumentation, startSocketIo } from './contenders/start.ts';
import type { Contender } from './measure/cell.ts';
import { redisCost, residents } from './measure/counters.ts';
import type { Extent } from './measure/extent.ts';
import { INSPECTED, memoryOf } from './measure/heap.ts';
import type { Stage } from './measure/stage.ts';
import { readUsage, usageBetween } from './measure/usage.ts';
import { figure, hundredths, type Row, type Section, table } from './report/table.ts';

interface Kind {
  readonly name: string;
  readonly start: () => Promise<Contender>;
  /** Sessions that the service keeps in memory, for this many connected clients; null if it does not count them. */
  readonly awake: ((connected: number) => number) | null;
}

/** The first sockets grow the memory that all share. */
const SHARE_FIRST = 0.2;
const ASLEEP_WITHIN_MS = 30_000;
const NEVER_MS = '3600000';
export const ASLEEP = `${SERVICE}, asleep: a socket only`;
export const AWAKE = `${SERVICE}, awake: socket and actor`;
const pause = (ms: number) => new Promise<void>((resume) => setTimeout(resume, ms));

export async function memory(stage: Stage, extent: Extent): Promise<Section> {
  const service = (name: string, env: Readonly<Record<string, string>>) => async (): Promise<Contender> => {
    const redis = await stage.redis();
    return { name, redis, program: await stage.service(redis, env, [INSPECTED]), speech: 'rehydra' };
  };
  const kinds: readonly Kind[] = [
    { name: ASLEEP, start: service(ASLEEP, { HIBERNATE_MS: '500' }), awake: () => 0 },
    {
      name: AWAKE,
      // With a short lease, the renewal of thousands of locks would be measured.
      start: service(AWAKE, { HIBERNATE_MS: NEVER_MS, LEASE_MS: '60000' }),
      awake: (connected) => connected,
    },
    { name: 'documentation’s way', start: () => startDocumentation(stage, true), awake: null },
    { name: 'Socket.IO + SET', start: () => startSocketIo(stage, true), awake: null },
  ];
  const rows: Row[] = [];
  const facts: Record<string, number> = {};
  for (const kind of kinds) {
    const { row, rssBytes } = await measure(stage, extent, kind);
    rows.push(row);
    facts[`memory/${kind.name}/rssBytes`] = rssBytes;
    await stage.clear();
  }
  const words =
    'Resident and heap memory of the server after a full collection, before and after the added clients sent hello. ' +
    `Another ${(SHARE_FIRST * 100).toFixed(0)} % were connected before, so that pools and tables exist. The kernel's share of a socket is in neither. "quiet" is ${extent.silenceMs / 1_000} s without a frame from any client; an awake session renews its lease, here one of 60 s.`;
  const head = [
    'sessions',
    'added',
    'RSS each',
    'heap each',
    'RSS before',
    'Redis memory each',
    'cores while quiet',
  ];
  return { title: 'Memory of a quiet session', body: `${words}\n\n${table(head, rows)}`, facts };
}

async function measure(
  stage: Stage,
  { sockets, silenceMs }: Extent,
  { name, start, awake }: Kind,
): Promise<{ readonly row: Row; readonly rssBytes: number }> {
  const { generator } = stage;
  const { program, redis, speech } = await start();
  if (redis === null) throw new Error('the memory of Redis is measured too');
  const settled = async (connected: number) => {
    const deadlineMs = performance.now() + ASLEEP_WITHIN_MS;
    while (awake !== null && (await residents(program)) !== awake(connected)) {
      if (performance.now() > deadlineMs)
        throw new Error(`${name}: never ${awake(connected)} resident sessions`);
      await pause(100);
    }
    return { ...(await memoryOf(program)), redisBytes: (await redisCost(redis)).usedBytes };
  };
  const first = Math.round(sockets * SHARE_FIRST);
  const open = (count: number) => generator.run('open', { group: name, port: program.port, count, speech });
  await open(first);
  const before = await settled(first);
  await open(sockets);
  const after = await settled(first + sockets);
  const quietFrom = readUsage([program.pid]);
  await pause(silenceMs);
  const quiet = usageBetween(quietFrom, readUsage([program.pid]), 0);
  await generator.run('end', { group: name, how: 'drop' });
  const each = (bytes: number) => `${figure(bytes / sockets / 1024)} KiB`;
  const rssBytes = after.rssBytes - before.rssBytes;
  return {
    rssBytes: rssBytes / sockets,
    row: [
      name,
      sockets.toLocaleString('en-US'),
      each(rssBytes),
      each(after.heapBytes - before.heapBytes),
      `${figure(before.rssBytes / 2 ** 20)} MiB`,
      each(after.redisBytes - before.redisBytes),
      hundredths((quiet.cpuMs[0] ?? 0) / silenceMs),
    ],
  };
}
