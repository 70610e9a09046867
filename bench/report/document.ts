/** Writes docs/BENCHMARKS.md: the method and the machine, then one section per question. */
import { execFileSync } from 'node:child_process';
import { cpus, release, totalmem } from 'node:os';
import { noiseSoFar } from '../measure/quiet.ts';
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

export interface Circumstances {
  readonly command: string;
  readonly repeats: number;
  readonly windowMs: number;
}

function noiseText(): string {
  const { windows, noisy, medianCores } = noiseSoFar();
  const share = `${noisy} of ${windows} windows had more than 0.15 foreign cores, ${medianCores.toFixed(2)} at the median`;
  return medianCores > MUCH_NOISE_CORES
    ? `**This run was noisy**: ${share}. Throughput is too low and latency too high; CPU per operation and its ratios hold better.`
    : `Noise of this run: ${share}.`;
}

const MUCH_NOISE_CORES = 0.3;

export function documentOf(
  sections: readonly Section[],
  { command, repeats, windowMs }: Circumstances,
): string {
  return [
    `<!-- Written by \`${command}\`; changes made by hand are lost. -->`,
    '# Benchmarks',
    '',
    `${machine()}.`,
    '',
    'No figure here is a target, and none transfers to another machine. **Read the ratios**: the compared programs ran in',
    `the same run, alternating, ${repeats} times each in windows of ${windowMs / 1000} s. Figures are medians, and a ratio is the median`,
    'of the ratios of neighbouring runs. "spread" is (largest − smallest) ÷ median; ignore smaller differences.',
    '',
    '- **CPU** is user and system time of the server process from `/proc`, per 100,000 operations; Redis separately.',
    '- **Cores**: the server under test has core 0. Redis, the upstream and the generator share the rest; on two cores',
    '  all three share one. "generator" is its share of a core; near 1.00 the generator was the limit.',
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
    'more than one busy instance, more than one core per instance, long conversations, hours of running.',
    '',
    ...sections.flatMap(({ title, body }) => [`## ${title}`, '', body.trim(), '']),
  ].join('\n');
}
