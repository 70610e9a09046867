/**
 * Starts model servers through the repository's own scripts.
 *
 * ENGINE-1  A server is the leader of a process group, so that a kill reaches the processes that it started.
 * ENGINE-2  Every server that the tests started is killed at the end, whatever the tests did.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { adopt, freePort, hasEnded } from '../support/instance/processes.ts';

export interface EngineProcess {
  readonly url: string;
  readonly pid: number;
  stop(): Promise<void>;
}

const root = fileURLToPath(new URL('../..', import.meta.url));
/** Long enough for a first installation. */
const START_WITHIN_MS = 3_600_000;
const LINES_KEPT = 40;

export async function startEngine(kind: string): Promise<EngineProcess> {
  const port = await freePort();
  const child = kind === 'simulator' ? startSimulator(port) : startScript(kind, port);
  adopt(child);
  const url = await ready(kind, child);
  const pid = child.pid ?? 0;
  return {
    url,
    pid,
    async stop() {
      killGroup(pid);
      if (!hasEnded(child)) await once(child, 'exit');
    },
  };
}

/** Kills the group that the process leads, or the process alone if it leads none. */
export function killGroup(pid: number): void {
  for (const target of [-pid, pid]) {
    try {
      process.kill(target, 'SIGKILL');
      return;
    } catch {
      // No such group, or it has ended.
    }
  }
}

function startScript(kind: string, port: number): ChildProcess {
  const script = `${root}/scripts/real-engine.sh`;
  return spawn(script, [kind, '--port', `${port}`], { cwd: root, detached: true, stdio: 'pipe' });
}

function startSimulator(port: number): ChildProcess {
  const settings = {
    SIMULATOR_PORT: `${port}`,
    SIMULATOR_TOKENS_PER_SECOND: '60',
    SIMULATOR_TOKENS: '240',
    // Small enough for a test to fill: the window of the real servers that the script starts.
    SIMULATOR_MAX_MODEL_LEN: '2048',
  };
  const env = { ...process.env, ...settings };
  const program = `${root}/dist/simulator.js`;
  return spawn(process.execPath, [program], { cwd: root, detached: true, stdio: 'pipe', env });
}

/** Resolves with the address, from the script's line `ready URL` or the simulator's log line. */
function ready(kind: string, child: ChildProcess): Promise<string> {
  return new Promise((resolve, reject) => {
    const lines: string[] = [];
    const fail = (why: string): void => {
      clearTimeout(timer);
      reject(new Error(`${kind} ${why}\n${lines.join('\n')}`));
    };
    const timer = setTimeout(() => {
      if (child.pid !== undefined) killGroup(child.pid);
      fail('does not answer');
    }, START_WITHIN_MS);
    const onLine = (line: string): void => {
      lines.push(line);
      if (lines.length > LINES_KEPT) lines.shift();
      if (line.startsWith('real-engine: ')) process.stdout.write(`  ${line}\n`);
      const url = /^ready (\S+)$/.exec(line)?.[1] ?? /"msg":"listening".*"url":"([^"]+)"/.exec(line)?.[1];
      if (url === undefined) return;
      clearTimeout(timer);
      resolve(url);
    };
    for (const stream of [child.stdout, child.stderr])
      if (stream !== null) createInterface({ input: stream }).on('line', onLine);
    child.once('error', (error) => fail(error.message));
    child.once('exit', (code, signal) => fail(`ended at start: ${signal ?? code}`));
  });
}
