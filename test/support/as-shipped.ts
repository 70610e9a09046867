/** Fails a test run that loaded xstate's development build: such a run proves nothing about what ships. */
import { createRequire } from 'node:module';
import 'xstate';

const loaded = Object.keys(createRequire(import.meta.url).cache).filter((path) =>
  /[/\\]xstate[/\\]/.test(path),
);
if (loaded.length === 0 || loaded.some((path) => path.includes('.development.')))
  throw new Error(`this is not the xstate that ships: ${loaded.join()}`);
