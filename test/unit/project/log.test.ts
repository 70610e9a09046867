/** The end of a process whose log has lost its reader. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { expect, it } from 'vitest';

const LOG = new URL('../../../src/telemetry/log.ts', import.meta.url).href;
const PROGRAM = `
  const { openLog, closeLog } = await import(${JSON.stringify(LOG)});
  const log = openLog('info', 'test');
  log.info('ready');
  process.stdin.once('data', () => {
    log.info('released');
    log.info('drained');
    void closeLog(log).then(() => process.exit(7));
  });
`;

function start() {
  const args = ['--import', import.meta.resolve('tsx'), '--input-type=module', '-e', PROGRAM];
  return spawn(process.execPath, args, { stdio: ['pipe', 'pipe', 'inherit'] });
}

it('a process ends although the reader of its log has died', async () => {
  const child = start();
  await once(child.stdout, 'data');
  child.stdout.destroy();
  await once(child.stdout, 'close');
  child.stdin.write('end');
  expect(await once(child, 'exit')).toEqual([7, null]);
});

it('a process writes the last lines of its log before it ends', async () => {
  const child = start();
  let text = '';
  child.stdout.on('data', (bytes: Buffer) => {
    text += bytes.toString();
  });
  await once(child.stdout, 'data');
  child.stdin.write('end');
  await once(child, 'close');
  expect(text).toContain('"msg":"drained"');
});
