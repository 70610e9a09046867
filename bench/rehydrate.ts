/** How long does a client wait for its welcome at an instance that has never seen the session? */
import { residents } from './measure/counters.ts';
import type { Extent } from './measure/extent.ts';
import type { Program } from './measure/program.ts';
import type { Stage } from './measure/stage.ts';
import { median, type Summary } from './measure/summary.ts';
import { figure, type Row, type Section, table } from './report/table.ts';

const AT_ONCE = [1, 32] as const;
const GROUP = 'first instance';
const NEVER_MS = '3600000';

export async function rehydrate(stage: Stage, extent: Extent): Promise<Section> {
  const { generator } = stage;
  const redis = await stage.redis();
  const dozing = await stage.service(redis, { HIBERNATE_MS: '0' });
  const awake = await stage.service(redis, { HIBERNATE_MS: NEVER_MS });
  const other = await stage.service(redis, { HIBERNATE_MS: '0' });
  const { greetings } = extent;

  /** Makes sessions on an instance for clients to come back to. */
  const prepare = async (program: Program, keepSockets: boolean): Promise<readonly string[]> => {
    const { sessionIds } = await generator.run('open', {
      group: GROUP,
      port: program.port,
      count: greetings,
    });
    if (!keepSockets) {
      await generator.run('end', { group: GROUP, how: 'drop' });
      const deadlineMs = performance.now() + 20_000;
      while ((await residents(program)) > 0) {
        if (performance.now() > deadlineMs) throw new Error('sessions without a client did not fall asleep');
        await new Promise((resume) => setTimeout(resume, 100));
      }
    }
    return sessionIds;
  };
  const ways: readonly {
    readonly name: string;
    readonly from: Program;
    readonly to: Program;
    readonly keepSockets: boolean;
  }[] = [
    { name: 'awake, on the instance that receives the hello', from: awake, to: awake, keepSockets: true },
    { name: 'asleep in Redis', from: dozing, to: other, keepSockets: false },
    { name: 'awake on another instance, which releases it', from: awake, to: other, keepSockets: true },
  ];

  // Cold code would be measured while V8 compiles it.
  for (const { from, to, keepSockets } of ways) {
    const sessionIds = await prepare(from, keepSockets);
    await generator.run('attach', { port: to.port, sessionIds, atOnce: 8 });
    if (keepSockets) await generator.run('end', { group: GROUP, how: 'close' });
  }
  const rows: Row[] = [];
  for (const atOnce of AT_ONCE) {
    const results = new Map<string, Summary[]>(ways.map(({ name }) => [name, []]));
    for (let repeat = 0; repeat < Math.min(2, extent.repeats); repeat++) {
      for (const { name, from, to, keepSockets } of ways) {
        const sessionIds = await prepare(from, keepSockets);
        results.get(name)?.push(await generator.run('attach', { port: to.port, sessionIds, atOnce }));
        if (keepSockets) await generator.run('end', { group: GROUP, how: 'close' });
      }
    }
    for (const [name, summaries] of results)
      rows.push([
        String(atOnce),
        name,
        figure(median(summaries.map((summary) => summary.p50))),
        figure(median(summaries.map((summary) => summary.p99))),
      ]);
  }
  const words =
    `From \`hello\` on an open connection to \`welcome\`, ${greetings} sessions each time. Instances share one core here, so a ` +
    'session that moves between two of them waits for both. A session with a dead owner is free when its lease ends ' +
    '(`LEASE_MS`, 3 s by default); that is a setting and not measured.';
  return {
    title: 'Coming back',
    body: `${words}\n\n${table(['in parallel', 'the session is', 'p50 ms', 'p99 ms'], rows)}`,
  };
}
