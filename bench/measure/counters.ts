/** Reads the counters that the servers keep. */
import { Redis } from 'ioredis';
import type { RedisServer } from '../../test/support/instance/redis-server.ts';
import type { Program } from './program.ts';

/** The value of a series whose only label is the instance; 0 before its first count. */
async function metric({ port }: Program, name: string): Promise<number> {
  const response = await fetch(`http://127.0.0.1:${port}/metrics`);
  const text = await response.text();
  if (!text.includes(`# HELP ${name} `)) throw new Error(`the service has no metric ${name}`);
  const line = text.split('\n').find((candidate) => candidate.startsWith(`${name}{`));
  return line === undefined ? 0 : Number(line.slice(line.lastIndexOf(' ') + 1));
}

export const appends = (service: Program) => metric(service, 'rehydra_appends_total');
export const residents = (service: Program) => metric(service, 'rehydra_resident_sessions');

export interface RedisCost {
  readonly usedBytes: number;
  readonly rssBytes: number;
  readonly cpuMs: number;
}

export async function redisCost({ port }: RedisServer): Promise<RedisCost> {
  const client = new Redis({ port, protocol: 2 });
  try {
    const info = await client.info('everything');
    const value = (name: string) => Number(new RegExp(`^${name}:([0-9.]+)`, 'm').exec(info)?.[1]);
    const cpuS = value('used_cpu_user') + value('used_cpu_sys');
    return { usedBytes: value('used_memory'), rssBytes: value('used_memory_rss'), cpuMs: cpuS * 1_000 };
  } finally {
    client.disconnect();
  }
}

export async function emptied({ port }: RedisServer): Promise<void> {
  const client = new Redis({ port, protocol: 2 });
  try {
    await client.flushall();
  } finally {
    client.disconnect();
  }
}
