/**
 * One address over two instances, as behind a load balancer: it leads to the first, and after `kill` to the second.
 *
 *  FAILOVER-1  The first instance owns the sessions that clients opened here, so a kill hits the answer that they watch.
 */
import type { Environment, Instance } from './instance.ts';
import { startInstance } from './instance.ts';
import { startProxy } from './proxy.ts';

export interface Failover {
  /** For HTTP and for `rehydra/client`, without a slash at the end. */
  readonly http: string;
  readonly first: Instance;
  readonly second: Instance;
  /** Ends the first instance with SIGKILL; later connections lead to the second. */
  kill(): Promise<void>;
  stop(): Promise<void>;
}

export async function startFailover(environment: Environment): Promise<Failover> {
  const [first, second] = await Promise.all([startInstance(environment), startInstance(environment)]);
  const proxy = await startProxy(first.port);
  return {
    http: `http://127.0.0.1:${proxy.port}`,
    first,
    second,
    async kill() {
      first.kill('SIGKILL');
      // Without a wait: some clients do not dial a second time if their first attempt meets a dead instance.
      proxy.leadTo(second.port);
      await first.exited;
    },
    async stop() {
      await Promise.all([proxy.stop(), first.stop(), second.stop()]);
    },
  };
}
