import { expect, test } from 'vitest';
import { mergeMetrics } from '../../../src/telemetry/merge-metrics.ts';
import { openMetrics } from '../../../src/telemetry/metrics.ts';

test('merged metrics hold each sample of each instance once, and each HELP and TYPE once', async () => {
  const [one, two] = [openMetrics('one'), openMetrics('two')];
  one.limited('guesses');
  two.committed(3);
  const texts = await Promise.all([one, two].map(({ registry }) => registry.metrics()));
  const linesOf = (text: string) => text.split('\n').filter((line) => line !== '');
  const isHead = (line: string) => line.startsWith('#');
  const lines = linesOf(mergeMetrics(texts));
  expect(lines.filter((line) => !isHead(line)).toSorted()).toEqual(
    texts
      .flatMap(linesOf)
      .filter((line) => !isHead(line))
      .toSorted(),
  );
  const heads = lines.filter(isHead);
  expect(heads.toSorted()).toEqual([...new Set(texts.flatMap(linesOf).filter(isHead))].toSorted());
});

test('merged metrics keep the samples of a metric together, directly below its HELP and TYPE', () => {
  const of = (instance: string) =>
    `# HELP a A.\n# TYPE a gauge\na{i="${instance}"} 1\n\n# HELP b B.\n# TYPE b gauge\nb{i="${instance}"} 2\n`;
  expect(mergeMetrics([of('x'), of('y')])).toBe(
    '# HELP a A.\n# TYPE a gauge\na{i="x"} 1\na{i="y"} 1\n\n# HELP b B.\n# TYPE b gauge\nb{i="x"} 2\nb{i="y"} 2\n',
  );
});

test('merged metrics of one instance are its metrics', async () => {
  const text = await openMetrics('one').registry.metrics();
  expect(mergeMetrics([text])).toBe(text);
});
