/** Calls to a cluster whose driver never settles one. */
import type { Cluster } from 'ioredis';
import { describe, expect, it } from 'vitest';
import { createBatch } from '../../../src/store/redis/batch.ts';
import { scripts } from '../../../src/store/redis/scripts.ts';

const WITHIN_MS = 20;

function clusterThat(sendCommand: () => Promise<unknown>): Cluster {
  return { isCluster: true, sendCommand } as unknown as Cluster;
}

describe('a call to a cluster', () => {
  it('a call to a cluster without an answer is rejected as unknown', async () => {
    const batch = createBatch(
      clusterThat(() => new Promise(() => {})),
      WITHIN_MS,
    );
    await expect(batch.call(scripts.read, ['{b}:s'], [])).rejects.toMatchObject({ code: 'STORE_TIMEOUT' });
  });

  it('a call to a cluster with an answer resolves', async () => {
    const batch = createBatch(
      clusterThat(() => Promise.resolve(['1'])),
      WITHIN_MS,
    );
    expect(await batch.call(scripts.read, ['{b}:s'], [])).toEqual(['1']);
  });
});
