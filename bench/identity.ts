/** What does it cost to prove who a client is: at each turn, and at each reconnect? */
import { newIdentities } from '../test/support/instance/identities.ts';
import { tokenFor } from '../test/support/issuer.ts';
import { startService } from './contenders/start.ts';
import type { HelloFields } from './load/client.ts';
import { type Contender, measureCell, measureOnce, medianOf, ratioOf } from './measure/cell.ts';
import type { Extent } from './measure/extent.ts';
import { inTurns, quietest } from './measure/quiet.ts';
import type { Stage } from './measure/stage.ts';
import { median, spread } from './measure/summary.ts';
import { readUsage, type Usage, usageBetween } from './measure/usage.ts';
import { figure, hundredths, percent, type Section, table, times } from './report/table.ts';

interface Reconnects {
  /** Seconds per 100,000 reconnects. */
  readonly cpuS: number;
  readonly usage: Usage;
}

const OFF = '`off`';
const TURNS_UNDER_WAY = 64;
const RECONNECTS_AT_ONCE = 32;
const TOKEN_ENDS_IN_SECONDS = 24 * 3_600;
/** All clients have one address, and no one of them may be refused. */
const UNLIMITED = {
  RATE_CONNECTIONS_PER_MINUTE: '0',
  RATE_REQUESTS_PER_MINUTE: '0',
  RATE_MESSAGES_PER_MINUTE: '0',
  RATE_GUESSES_PER_MINUTE: '0',
  RATE_FAILED_CREDENTIALS_PER_MINUTE: '0',
};

export async function identity(stage: Stage, extent: Extent): Promise<Section> {
  const identities = newIdentities();
  try {
    return await measured(stage, extent, identities);
  } finally {
    await stage.clear();
    identities.close();
  }
}

async function measured(
  stage: Stage,
  extent: Extent,
  identities: ReturnType<typeof newIdentities>,
): Promise<Section> {
  const { environment, keys, apiKey } = identities;
  const inFlight = Math.min(TURNS_UNDER_WAY, extent.inFlight[1]);
  const count = Math.max(extent.opened, extent.conversations, inFlight);
  const users = Array.from({ length: count }, (_, index) => `user-${index}`);
  const claimed = users.map((user_id) => ({ user_id }));
  const tokens = async (key: (typeof keys)['rsa']) => {
    const shown = users.map((user) => tokenFor(key, user, { endsInSeconds: TOKEN_ENDS_IN_SECONDS }));
    return (await Promise.all(shown)).map((token) => ({ token }));
  };
  const backEnd = apiKey('web', 'service');
  const start = async (name: string, env: object, hellos: readonly HelloFields[]): Promise<Contender> => ({
    ...(await startService(stage, { ...UNLIMITED, ...env })),
    name,
    hellos,
  });
  const off = await start(OFF, {}, claimed);
  const contenders = [
    off,
    await start('`jwt`, ES256', environment, await tokens(keys.ec)),
    await start('`jwt`, RS256', environment, await tokens(keys.rsa)),
    await start(
      '`keys`',
      environment,
      claimed.map((fields) => ({ ...fields, token: backEnd })),
    ),
  ];
  const { warmMs, windowMs, quietMs, conversations } = extent;
  const load = { workload: 'turn', inFlight, warmMs, windowMs, quietMs, conversations } as const;
  // Cold code would be measured while V8 compiles it.
  for (const contender of contenders) {
    await measureOnce(stage, contender, { ...load, windowMs: 5 * windowMs });
    await reconnects(stage, contender, extent.opened);
  }
  const turns = await inTurns(contenders, extent.repeats, (contender) => measureCell(stage, contender, load));
  const returns = await inTurns(contenders, extent.repeats, (contender) =>
    quietest(
      extent,
      () => reconnects(stage, contender, extent.opened),
      (result) => result.usage,
    ),
  );
  const rows = contenders.map((contender) => {
    const [cells = [], results = []] = [turns.get(contender), returns.get(contender)];
    const cpuS = results.map((result) => result.cpuS);
    const ownTurn = ratioOf(cells, turns.get(off), (cell) => cell.serverCpuS);
    const ownReturn = median(
      cpuS.map((seconds, repeat) => seconds / (returns.get(off)?.[repeat]?.cpuS ?? Number.NaN)),
    );
    const foreign = [...cells, ...results.map(({ usage }) => usage)].map(({ foreignCores }) => foreignCores);
    return [
      contender.name,
      figure(medianOf(cells, (cell) => cell.serverCpuS)),
      percent(spread(cells.map((cell) => cell.serverCpuS))),
      times(ownTurn),
      figure(median(cpuS)),
      percent(spread(cpuS)),
      times(ownReturn),
      hundredths(median(foreign)),
    ];
  });
  const head = [
    '`AUTH`',
    'a turn, CPU s/100k',
    'spread',
    '÷ off',
    'a reconnect, CPU s/100k',
    'spread',
    '÷ off',
    'foreign',
  ];
  const words =
    `A turn is one of ${inFlight} under way on open sockets, as in the first table. A reconnect is a new connection, its upgrade, ` +
    '`hello` for a stored session, and `welcome`; ' +
    `${extent.opened.toLocaleString('en-US')} clients come back, ${RECONNECTS_AT_ONCE} at a time, each with the token of its own user. ` +
    'With `keys` one back end shows its key and names the user; with `off` the client claims the name. Rates are off for all: ' +
    'the clients share one address.';
  return { title: 'What identity costs', body: `${words}\n\n${table(head, rows)}` };
}

/** Opens sessions, cuts their sockets, and measures the server while the clients come back. */
async function reconnects(stage: Stage, contender: Contender, count: number): Promise<Reconnects> {
  const { generator } = stage;
  const { program, speech, name, hellos = [] } = contender;
  const group = `${name} again`;
  const order = { port: program.port, hellos };
  const { sessionIds } = await generator.run('open', { ...order, group, count, speech });
  await generator.run('end', { group, how: 'drop' });
  const watch = [program.pid, generator.pid, ...stage.pids().filter((pid) => pid !== program.pid)];
  const before = readUsage(watch);
  await generator.run('open', { ...order, group, count, speech, sessionIds, atOnce: RECONNECTS_AT_ONCE });
  const usage = usageBetween(before, readUsage(watch), 0);
  await generator.run('end', { group, how: 'close' });
  return { cpuS: ((usage.cpuMs[0] ?? 0) / count) * 100, usage };
}
