/**
 * A fleet is several instances on fixed ports, as behind a load balancer: a new process replaces a dead one on the same
 * address.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  type Environment,
  type Exit,
  type Instance,
  startInstance,
} from '../../support/instance/instance.ts';
import { freePort } from '../../support/instance/processes.ts';

export interface Fleet {
  readonly size: number;
  readonly urls: readonly string[];
  /** Every process that ran, in the order of their starts. */
  readonly history: readonly Instance[];
  at(index: number): Instance;
  /** The slot of an instance id. */
  indexOf(instanceId: string): number;
  /** SIGKILL, and waits for the end. */
  kill(index: number): Promise<void>;
  /** SIGTERM, and waits for the end. */
  drain(index: number): Promise<Exit>;
  /** Starts a new process in the place of an ended one. */
  revive(index: number, changes?: Environment): Promise<Instance>;
  stop(): Promise<void>;
}

export async function startFleet(size: number, environment: (index: number) => Environment): Promise<Fleet> {
  const ports: number[] = [];
  for (let index = 0; index < size; index += 1) ports.push(await freePort());
  const history: Instance[] = [];
  const start = async (index: number, changes: Environment = {}): Promise<Instance> => {
    const instance = await startInstance({ PORT: `${ports[index]}`, ...environment(index), ...changes });
    history.push(instance);
    return instance;
  };
  const instances = await Promise.all(ports.map((_, index) => start(index)));
  const at = (index: number): Instance => {
    const instance = instances[index];
    if (instance === undefined) throw new RangeError(`there is no instance ${index}`);
    return instance;
  };
  return {
    size,
    urls: ports.map((port) => `ws://127.0.0.1:${port}/v1/session`),
    history,
    at,
    indexOf: (instanceId) => instances.findIndex((instance) => instance.instanceId === instanceId),
    async kill(index) {
      at(index).kill('SIGKILL');
      await at(index).exited;
    },
    async drain(index) {
      at(index).kill('SIGTERM');
      return at(index).exited;
    },
    async revive(index, changes) {
      const instance = await start(index, changes);
      instances[index] = instance;
      return instance;
    },
    async stop() {
      await Promise.all(
        instances.map(async (instance) => {
          instance.kill('SIGKILL');
          await instance.exited;
        }),
      );
      keepLogs(history);
    },
  };
}

/** CHAOS_LOGS names a folder that gets the log of every process, to investigate a failure. */
function keepLogs(instances: readonly Instance[]): void {
  const folder = process.env.CHAOS_LOGS;
  if (folder === undefined || folder === '') return;
  mkdirSync(folder, { recursive: true });
  for (const [index, { instanceId, logs }] of instances.entries())
    writeFileSync(join(folder, `${process.pid}-${index}-${instanceId}.log`), `${logs.join('\n')}\n`);
}
