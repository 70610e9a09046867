/**
 * Writes docs/BENCHMARKS.md: the ratios and the goals, the method and the machine, then one section per question. The scale
 * section comes from a run of its own; every other run keeps the one that is in the document.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { cpus, release, totalmem } from 'node:os';
import type { Extent } from '../measure/extent.ts';
import { noiseSoFar, QUIET_CORES } from '../measure/quiet.ts';
import { overview } from './overview.ts';
import type { Section } from './table.ts';

function outputOf(file: string, ...args: readonly string[]): string {
  try {
    return execFileSync(file, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim();
  } catch {
    return 'unknown';
  }
}

function machine(): string {
  const redis = /v=(\S+)/.exec(outputOf('redis-server', '--version'))?.[1] ?? 'unknown';
  const changed =
    outputOf('git', 'status', '--porcelain', '--', 'src', 'machines', 'package-lock.json') !== '';
  const commit = `${outputOf('git', 'rev-parse', '--short', 'HEAD')}${changed ? ' with changes' : ''}`;
  const memoryGiB = Math.round(totalmem() / 2 ** 30);
  return (
    `${cpus()[0]?.model ?? 'unknown CPU'}, ${cpus().length} cores, ${memoryGiB} GiB · Linux ${release()} · ` +
    `Node ${process.versions.node} · Redis ${redis} · commit ${commit} · ${new Date().toISOString().slice(0, 10)}`
  );
}

function noiseText(): string {
  const { windows, noisy, medianCores } = noiseSoFar();
  const share = `${noisy} of ${windows} windows had more than ${QUIET_CORES} foreign cores, ${medianCores.toFixed(2)} at the median`;
  return medianCores > MUCH_NOISE_CORES
    ? `**This run was noisy**: ${share}. Throughput is too low and latency too high; CPU per operation and its ratios hold better.`
    : `Noise of this run: ${share}.`;
}

const MUCH_NOISE_CORES = 0.3;
const SCALE_BEGINS = '<!-- scale: written by `npm run bench -- --only scale` -->';
const SCALE_ENDS = '<!-- end of scale -->';

export function documentOf(sections: readonly Section[], extent: Extent, file: string): string {
  const facts = Object.assign({}, ...sections.map((section) => section.facts ?? {}));
  return [
    '<!-- Written by `npm run bench`; changes made by hand are lost. -->',
    '# Benchmarks',
    '',
    overview(facts, extent),
    '',
    '## How to read the figures',
    '',
    `${machine()}.`,
    '',
    'None of the figures transfers to another machine. **Read the ratios**: the compared programs ran in the same run,',
    `alternating, ${extent.repeats} times each in windows of ${extent.windowMs / 1000} s. Figures are medians, and a ratio is the median of the ratios of`,
    'neighbouring runs. "spread" is (largest − smallest) ÷ median; ignore smaller differences.',
    '',
    '- **CPU** is user and system time of the server process from `/proc`, per 100,000 operations; Redis separately.',
    '- **Cores**: the server under test has core 0. Redis, the upstream and the generator share the rest; on two cores',
    '  all three share one. "generator" is its share of a core; if the three together come near 1.00, they were the limit.',
    '- **foreign** is the noise: how many cores unrelated processes used. A noisy window is measured again, and the',
    '  quietest is kept: its noise decides, not its result.',
    '- **Latency** in a closed loop at saturation is mostly queueing (under way ÷ throughput). One under way shows the',
    '  unloaded latency, and a large part of that is a wake-up across cores.',
    '- **Redis** runs on loopback, without persistence. **Embedded** is SQLite in a file.',
    '- **Upstream** is `bench/load/upstream.ts`, which answers immediately or at an even pace, as the question says.',
    '',
    noiseText(),
    '',
    '**Not measured**: networks, TLS, Redis with AOF or in a cluster, slower disks, a real vLLM,',
    'long conversations, hours of running.',
    '',
    ...sections.flatMap(textOf),
    scaleOf(file),
    '',
  ].join('\n');
}

function textOf({ title, body }: Section): readonly string[] {
  return [`## ${title}`, '', body.trim(), ''];
}

/** The document with another scale section: everything else stays as an earlier run wrote it. */
export function withScale(section: Section, file: string): string {
  const text = existsSync(file) ? readFileSync(file, 'utf8') : '';
  const former = scaleOf(file);
  const scale = [SCALE_BEGINS, ...textOf(section), `${machine()}. ${noiseText()}`, SCALE_ENDS].join('\n');
  return text.includes(SCALE_BEGINS) ? text.replace(former, () => scale) : `${text.trimEnd()}\n\n${scale}\n`;
}

/** The scale section that the document has, with its marks; a sentence in its place before the first run. */
function scaleOf(file: string): string {
  const text = existsSync(file) ? readFileSync(file, 'utf8') : '';
  const from = text.indexOf(SCALE_BEGINS);
  const to = text.indexOf(SCALE_ENDS);
  if (from !== -1 && to > from) return text.slice(from, to + SCALE_ENDS.length);
  return `${SCALE_BEGINS}\nNo run of the scale question is on record.\n${SCALE_ENDS}`;
}
