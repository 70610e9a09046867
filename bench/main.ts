/**
 * `npm run bench` answers every question but scale and writes docs/BENCHMARKS.md.
 * `-- --quick` measures little and writes nothing: it shows that the benchmark runs.
 * `-- --only turns,step` answers some questions and writes nothing. A missing figure fails the run.
 * `-- --only scale` takes minutes and gigabytes, and replaces the section of the document that it owns.
 */
import { existsSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { bytes } from './bytes.ts';
import { identity } from './identity.ts';
import { type Extent, quick, usual } from './measure/extent.ts';
import { pin } from './measure/program.ts';
import { openStage, type Stage } from './measure/stage.ts';
import { memory } from './memory.ts';
import { opened } from './opened.ts';
import { rehydrate } from './rehydrate.ts';
import { documentOf, withScale } from './report/document.ts';
import { MISSING, type Section } from './report/table.ts';
import { scale } from './scale.ts';
import { steps } from './step.ts';
import { tokens } from './tokens.ts';
import { turns } from './turns.ts';
import { workers } from './workers.ts';

type Question = (stage: Stage, extent: Extent) => Promise<Section>;

const usualQuestions: Readonly<Record<string, Question>> = {
  turns,
  tokens,
  opened,
  workers,
  memory,
  bytes,
  rehydrate,
  identity,
  step: async (_, extent) => steps(extent),
};
const questions: Readonly<Record<string, Question>> = { ...usualQuestions, scale };

const { values } = parseArgs({
  options: { quick: { type: 'boolean', default: false }, only: { type: 'string' }, out: { type: 'string' } },
});
const chosen = values.only?.split(',') ?? Object.keys(usualQuestions);
const unknown = chosen.filter((name) => questions[name] === undefined);
if (unknown.length > 0) {
  console.error(`unknown: ${unknown.join(', ')}; there are ${Object.keys(questions).join(', ')}`);
  process.exit(2);
}
if (!existsSync('/proc/self/stat') || cpus().length < 2) {
  console.error('CPU time is read from /proc and cores are shared out: this needs Linux and two cores');
  process.exit(2);
}

const extent = values.quick ? quick : usual;
const sections: Section[] = [];
pin(process.pid, 'generator');
const stage = await openStage();
try {
  for (const name of chosen) {
    const beganAt = performance.now();
    const section = await questions[name]?.(stage, extent);
    await stage.clear();
    if (section === undefined) continue;
    sections.push(section);
    console.log(
      `\n## ${section.title}\n\n${section.body}\n\n(${name}: ${Math.round((performance.now() - beganAt) / 1_000)} s)`,
    );
  }
} finally {
  await stage.close();
}

const file = values.out ?? fileURLToPath(new URL('../docs/BENCHMARKS.md', import.meta.url));
const [first] = sections;
const isScale = values.only === 'scale' && first !== undefined;
const isWhole = values.only === undefined;
const text = isScale ? withScale(first, file) : isWhole ? documentOf(sections, extent, file) : '';
const incomplete = [{ title: 'the first tables', body: text }, ...sections].filter(({ body }) =>
  body.includes(MISSING),
);
if (incomplete.length > 0) {
  console.error(`\nfigures are missing under: ${incomplete.map(({ title }) => title).join(', ')}`);
  process.exit(1);
}
if (text !== '' && (!values.quick || values.out !== undefined)) {
  writeFileSync(file, text);
  console.log(`\nwritten: ${file}`);
}
process.exit(0);
