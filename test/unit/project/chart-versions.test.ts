/**
 * A changed chart needs papers, and how many depends on what the change means for stored snapshots. Five changes are
 * planted in the chart that runs; each is built by XState and described as the chart itself is.
 */

import { spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { createMachine } from 'xstate';
import { sessionMachine } from '../../../machines/session.ts';
import { type Migrations, type StampedSnapshot, upgrade } from '../../../machines/versions.ts';
import { currentChart, sourcesOf } from '../../../scripts/diagram/chart.ts';
import { type Description, describe as describeMachine } from '../../../scripts/diagram/describe.ts';
import { diffTable, drawDiff } from '../../../scripts/diagram/diff.ts';
import { difference, type Meaning, worstOf } from '../../../scripts/diagram/difference.ts';
import { missingPapers, type OpenedSnapshot, type Papers } from '../../../scripts/diagram/papers.ts';
import { chartNamed, storedPapers } from '../../../scripts/diagram/records.ts';

type Config = Record<string, unknown> & { states: Record<string, Config>; on: Record<string, unknown> };

const chart = currentChart();
const papers = storedPapers();
const root = process.cwd();

function planted(change: (config: Config) => void): Description {
  const config = structuredClone(JSON.parse(JSON.stringify(sessionMachine.config))) as Config;
  change(config);
  const built = createMachine(config as never, sessionMachine.implementations as never);
  return { ...describeMachine(built, chart.version, chart.context), revision: chart.revision ?? 0 };
}

const processingOf = (config: Config): Config => config.states.processing!;

interface Planted {
  readonly name: string;
  readonly chart: Description;
  readonly meaning: Meaning;
  /** The mark in the picture, by the id of what changed. */
  readonly marked: readonly [id: string, mark: string];
  /** Takes a snapshot of this version to the next, where the change needs it. */
  readonly migrate?: (snapshot: StampedSnapshot) => StampedSnapshot;
}

const changes: readonly Planted[] = [
  {
    name: 'one more action on an event',
    chart: planted((config) => {
      config.on.summarised = { actions: ['recordSummary', 'touch'] };
    }),
    meaning: 'safe',
    marked: ['session:summarised#0', 'changed'],
  },
  {
    name: 'an event that a state no longer takes',
    chart: planted((config) => {
      delete processingOf(config).on.recover;
    }),
    meaning: 'safe',
    marked: ['session.processing:recover#0_(removed)', 'removed'],
  },
  {
    name: 'a timer in a state that sessions rest in',
    chart: planted((config) => {
      processingOf(config).states.generating!.after = { retryDelay: 'recovering' };
    }),
    meaning: 'migration',
    marked: ['session.processing.generating', 'changed'],
    migrate: (snapshot) => snapshot,
  },
  {
    name: 'a new state',
    chart: planted((config) => {
      config.states.paused = { on: { extend: 'connected' } } as unknown as Config;
    }),
    meaning: 'migration',
    marked: ['session.paused', 'added'],
    migrate: (snapshot) => snapshot,
  },
  {
    name: 'another name for a state',
    chart: planted((config) => {
      const { recovering, ...others } = processingOf(config).states;
      processingOf(config).states = { ...others, waiting: recovering! };
      const text = JSON.stringify(config).replaceAll('"recovering"', '"waiting"');
      Object.assign(config, JSON.parse(text));
    }),
    meaning: 'breaks',
    marked: ['session.processing.recovering', 'removed'],
    migrate: (snapshot) => JSON.parse(JSON.stringify(snapshot).replaceAll(/\brecovering\b/g, 'waiting')),
  },
];

/** The chart under the next version: a revision where the change is safe. */
const versioned = ({ chart: changed, meaning }: Planted): Description =>
  meaning === 'safe'
    ? { ...changed, revision: (changed.revision ?? 0) + 1 }
    : { ...changed, version: changed.version + 1, revision: 0 };

function openerOf({ version }: Description, migrate: Planted['migrate']): Papers['open'] {
  const steps: Record<number, (snapshot: StampedSnapshot) => StampedSnapshot> = {};
  for (let from = 1; from < chart.version; from++) steps[from] = (snapshot) => snapshot;
  if (migrate !== undefined) steps[chart.version] = migrate;
  return (golden) => {
    const upgraded = upgrade(JSON.parse(golden), version, steps as Migrations);
    if (upgraded.kind === 'unknown') return upgraded.reason;
    return upgraded.kind === 'newer' ? 'newer' : (upgraded.snapshot as unknown as OpenedSnapshot);
  };
}

/** The goldens of all versions, with those that the next version would add. */
function goldensOf(after: Description, migrate: Planted['migrate']): ReadonlyMap<string, string> {
  const goldens = new Map(papers.goldens);
  if (after.version === chart.version) return goldens;
  for (const [name, golden] of papers.goldens) {
    if (!name.startsWith(`session-v${chart.version}-`) || migrate === undefined) continue;
    const migrated = { ...migrate(JSON.parse(golden)), machineVersion: after.version };
    const { value } = migrated as unknown as OpenedSnapshot;
    const state = Object.entries(value as object)
      .flat()
      .join('.');
    goldens.set(`session-v${after.version}-${state}.json`, JSON.stringify(migrated));
  }
  if (after.states.some(({ id }) => id === 'session.paused')) {
    const idle = JSON.parse(papers.goldens.get(`session-v${chart.version}-idle.fresh.json`) ?? '');
    const paused = { ...idle, machineVersion: after.version, value: 'paused', timers: {}, jobs: {} };
    goldens.set(`session-v${after.version}-paused.json`, JSON.stringify(paused));
  }
  return goldens;
}

const complete = (change: Planted): Papers => {
  const after = versioned(change);
  const name = change.meaning === 'safe' ? `${after.version}.${after.revision}` : String(after.version);
  return {
    ...papers,
    changelog: `${papers.changelog}\nThe statechart is version ${name}.\n`,
    goldens: goldensOf(after, change.migrate),
    open: openerOf(after, change.migrate),
  };
};

describe.each(changes)('$name', (change) => {
  const after = versioned(change);

  test(`the diff says that a planted change is ${change.meaning}: ${change.name}`, () => {
    const found = difference(chart, change.chart);
    expect(found.length).toBeGreaterThan(0);
    expect(worstOf(found)).toBe(change.meaning);
    expect(diffTable(chart, change.chart)).toContain(
      { safe: '| safe |', migration: '| needs a migration |', breaks: '| breaks |' }[change.meaning],
    );
  });

  test(`the picture of a diff marks a planted change: ${change.name}`, async () => {
    const svg = await drawDiff(chart, sourcesOf(change.chart));
    const [id, mark] = change.marked;
    const [, drawn = ''] = svg.split(`id="${id}"`);
    expect(drawn.slice(0, 900)).toContain(`-${mark}`);
  });

  test(`the check fails on a planted change without a new version: ${change.name}`, () => {
    const faults = missingPapers(change.chart, papers).join('\n');
    expect(faults).toContain(`raise ${change.meaning === 'safe' ? 'CHART_REVISION' : 'MACHINE_VERSION'}`);
  });

  test(`the check fails on a planted change without a line in the changelog: ${change.name}`, () => {
    const faults = missingPapers(after, { ...complete(change), changelog: papers.changelog });
    expect(faults).toEqual([expect.stringContaining('CHANGELOG.md does not say')]);
  });

  test(`the check accepts a planted change with all its papers: ${change.name}`, () => {
    expect(missingPapers(after, complete(change))).toEqual([]);
  });
});

describe.each(changes.filter(({ meaning }) => meaning !== 'safe'))('$name', (change) => {
  test(`the check fails on a planted change under a revision that keeps the machine version: ${change.name}`, () => {
    const revised = { ...change.chart, revision: (chart.revision ?? 0) + 1 };
    const said = `${papers.changelog}\nThe statechart is version ${revised.version}.${revised.revision}.`;
    const faults = missingPapers(revised, { ...complete(change), changelog: said }).join('\n');
    expect(faults).toContain('needs a new MACHINE_VERSION');
  });

  test(`the check fails on a planted change without a migration: ${change.name}`, () => {
    const open = openerOf(versioned(change), undefined);
    const faults = missingPapers(versioned(change), { ...complete(change), open }).join('\n');
    expect(faults).toContain(`no migration from version ${chart.version}`);
  });

  test(`the check fails on a planted change without golden snapshots: ${change.name}`, () => {
    const faults = missingPapers(versioned(change), { ...complete(change), goldens: papers.goldens });
    expect(faults.length).toBeGreaterThan(0);
    for (const fault of faults) expect(fault).toMatch(/^there is no golden snapshot session-v\d+-/);
  });
});

describe('versions of the statechart', () => {
  test('the check fails if a migration leaves stored sessions in a state that the chart no longer has', () => {
    const renamed = changes.at(-1)!;
    const open = openerOf(versioned(renamed), (snapshot) => snapshot);
    const faults = missingPapers(versioned(renamed), { ...complete(renamed), open }).join('\n');
    expect(faults).toContain('rests in session.processing.recovering, which is no state of the chart');
  });

  test('a stored field that becomes required breaks snapshots, and an optional one needs a migration', () => {
    const context = chart.context ?? [];
    const meaningOf = (fields: readonly string[]) =>
      worstOf(difference(chart, { ...chart, context: fields }));
    expect(meaningOf([...context, 'rating: number'])).toBe('breaks');
    expect(meaningOf([...context, 'rating?: number'])).toBe('migration');
    expect(meaningOf(context.filter((field) => field !== 'warned: boolean'))).toBe('breaks');
    expect(meaningOf(context.map((field) => field.replace('"merge"', '"merge" | "drop"')))).toBe('migration');
    // The fields of an object that may be absent may be absent with it.
    expect(meaningOf([...context, 'rating?: object', 'rating?.stars: number'])).toBe('migration');
    expect(meaningOf([...context, 'turn.stars: number'])).toBe('breaks');
    expect(meaningOf(context)).toBe('safe');
  });

  test('the diff of versions 3 and 4 shows what version 4 added', () => {
    const said = diffTable(chartNamed('3'), chartNamed('4'));
    expect(said).toContain('session.idle:regenerate#4');
    expect(said).toContain('context turn.instructions');
    expect(said).toContain('0 breaks, 6 needs a migration, 16 safe');
  });

  test('a chart that did not change has an empty diff, and the check accepts it', () => {
    expect(difference(chart, chart)).toEqual([]);
    expect(missingPapers(chart, papers)).toEqual([]);
  });

  describe('a copy of the tree with a planted change and without history', () => {
    const copy = mkdtempSync(join(tmpdir(), 'rehydra-chart-'));
    afterAll(() => rmSync(copy, { recursive: true, force: true }));
    const run = (...args: readonly string[]) =>
      spawnSync('node', [join(root, 'node_modules/tsx/dist/cli.mjs'), 'scripts/diagram.ts', ...args], {
        cwd: copy,
        encoding: 'utf8',
      });

    test('the command that npm run check runs fails on a changed chart, also after its pictures are drawn again', () => {
      for (const path of [
        'machines',
        'scripts',
        'src',
        'test/golden',
        'test/support',
        'docs',
        'CHANGELOG.md',
        'package.json',
      ])
        cpSync(join(root, path), join(copy, path), { recursive: true });
      symlinkSync(join(root, 'node_modules'), join(copy, 'node_modules'));
      expect(run('--check').stdout).toBe('');
      const file = join(copy, 'machines/session.ts');
      const source = readFileSync(file, 'utf8');
      writeFileSync(file, source.replace('recover: [\n', "summarised: 'idle', recover: [\n"));
      expect(run().status).toBe(0);
      const checked = run('--check');
      expect(checked.stdout).toContain('raise CHART_REVISION');
      expect(checked.status).toBe(1);
    });
  });
});
