// Says which papers a changed chart lacks: a version, a line in the changelog, a migration, golden snapshots.
//
// docs/diagrams/versions holds the chart of each version, so that a check needs no history of git.

import type { Description, State } from './describe.ts';
import { type Change, difference, restingStates, worstOf } from './difference.ts';

/** The parts of a snapshot that name parts of the chart. */
export interface OpenedSnapshot {
  readonly value: unknown;
  readonly timers: Readonly<Record<string, unknown>>;
  readonly jobs: Readonly<Record<string, unknown>>;
}

export interface Papers {
  /** The recorded charts, by version: `4.0`. */
  readonly recorded: ReadonlyMap<string, Description>;
  readonly changelog: string;
  /** Stored snapshots by the names of their files, `session-v4-idle.fresh.json`. */
  readonly goldens: ReadonlyMap<string, string>;
  /** Reads a snapshot of any version as the service does, migrations included; a text says why it cannot. */
  readonly open: (golden: string) => OpenedSnapshot | string;
}

export const versionOf = ({ version, revision = 0 }: Description): string => `${version}.${revision}`;

export function missingPapers(chart: Description, papers: Papers): readonly string[] {
  const version = versionOf(chart);
  const versions = [...papers.recorded.keys()].toSorted(byVersion);
  const latest = versions.at(-1);
  const unchanged = papers.recorded.get(version);
  const faults: string[] = [];
  if (latest !== undefined && byVersion(version, latest) < 0)
    faults.push(`the chart is version ${version}, but docs/diagrams/versions has ${latest}`);
  if (unchanged !== undefined) faults.push(...unversioned(difference(unchanged, chart), version));
  const previous = versions.filter((one) => byVersion(one, version) < 0).at(-1);
  const before = previous === undefined ? undefined : papers.recorded.get(previous);
  if (before !== undefined) {
    const changes = difference(before, chart);
    if (worstOf(changes) !== 'safe' && before.version === chart.version)
      faults.push(`version ${version} needs a new MACHINE_VERSION:`, ...changes.filter(isGrave).map(inLine));
    const named = chart.revision ? `${chart.version}\\.${chart.revision}` : `${chart.version}(?!\\.\\d)`;
    if (!new RegExp(`statechart is\\s+version\\s+${named}\\b`).test(papers.changelog))
      faults.push(
        `CHANGELOG.md does not say "The statechart is version ${named.replace(/\(.*$/, '').replace('\\', '')}"`,
      );
  }
  return [...faults, ...goldenFaults(chart, papers)];
}

function unversioned(changes: readonly Change[], version: string): readonly string[] {
  if (changes.length === 0) return [];
  const number =
    worstOf(changes) === 'safe' ? 'CHART_REVISION' : 'MACHINE_VERSION, and add a migration with goldens';
  return [
    `the chart changed since version ${version}: raise ${number} (machines/versions.ts)`,
    ...changes.map(inLine),
  ];
}

const isGrave = ({ meaning }: Change): boolean => meaning !== 'safe';
const inLine = ({ what, mark, meaning, because }: Change): string =>
  `  ${mark} ${what}: ${meaning}. ${because}`;

/** Every golden opens into a state of the chart, with timers and jobs that the state has; and no state lacks a golden. */
function goldenFaults(chart: Description, { goldens, open }: Papers): readonly string[] {
  const faults: string[] = [];
  for (const state of restingStates(chart)) {
    const path = state.id.split('.').slice(1).join('.');
    const name = `session-v${chart.version}-${path}.json`;
    if (state.type !== 'final' && !goldens.has(name)) faults.push(`there is no golden snapshot ${name}`);
  }
  for (const [name, golden] of goldens) {
    const opened = open(golden);
    if (typeof opened === 'string') faults.push(`${name} is refused: ${opened}`);
    else faults.push(...strayParts(chart, opened).map((fault) => `${name} ${fault}`));
  }
  return faults;
}

function strayParts(chart: Description, { value, timers, jobs }: OpenedSnapshot): readonly string[] {
  const states = new Map(chart.states.map((state) => [state.id, state]));
  const leaf = states.get(pathOf(chart.machine, value));
  if (leaf === undefined || leaf.children.length > 0)
    return [`rests in ${pathOf(chart.machine, value)}, which is no state of the chart`];
  const line: State[] = [];
  for (let state: State | undefined = leaf; state !== undefined; state = states.get(state.parent ?? ''))
    line.push(state);
  const known = line.flatMap(({ id }) =>
    chart.transitions
      .filter(({ source, kind }) => source === id && kind === 'after')
      .map(({ trigger }) => `xstate.after.${trigger}.${id}`),
  );
  const running = line.flatMap(({ invoke }) => invoke.map(({ id }) => id));
  return [
    ...Object.keys(timers)
      .filter((timer) => !known.includes(timer))
      .map((timer) => `has the timer ${timer}, which its state has not`),
    ...running.filter((job) => jobs[job] === undefined).map((job) => `lacks the job ${job} of its state`),
    ...Object.keys(jobs)
      .filter((job) => !running.includes(job))
      .map((job) => `has the job ${job}, which its state has not`),
  ];
}

function pathOf(machine: string, value: unknown): string {
  if (typeof value === 'string') return `${machine}.${value}`;
  const [[key, inner] = ['', '']] = Object.entries(value ?? {});
  return pathOf(`${machine}.${key}`, inner);
}

export function byVersion(one: string, other: string): number {
  const [major = 0, minor = 0] = one.split('.').map(Number);
  const [otherMajor = 0, otherMinor = 0] = other.split('.').map(Number);
  return major - otherMajor || minor - otherMinor;
}
