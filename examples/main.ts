/** `npm run example -- <name>` runs one of the programs in this folder. */
const EXAMPLES = ['follow-up', 'iterative-diagnosis', 'refinement'];

const [name = ''] = process.argv.slice(2);
if (EXAMPLES.includes(name)) {
  await import(`./${name}.ts`);
} else {
  process.stderr.write(`npm run example -- ${EXAMPLES.join(' | ')}\n`);
  process.exitCode = 2;
}
