/** The generator as the benchmarks see it: orders go in, figures come out, one at a time. */
import type { Program } from '../measure/program.ts';
import type { OrderKind, OrderOf, Reply, ResultOf } from './orders.ts';

export interface Generator {
  readonly pid: number;
  run<K extends OrderKind>(kind: K, order: OrderOf<K>): Promise<ResultOf<K>>;
}

export function generatorOn({ child, pid }: Program): Generator {
  return {
    pid,
    run: <K extends OrderKind>(kind: K, order: OrderOf<K>) =>
      new Promise<ResultOf<K>>((resolve, reject) => {
        const ended = () => reject(new Error('the generator ended'));
        child.once('exit', ended);
        child.once('message', (reply: Reply) => {
          child.off('exit', ended);
          if (reply.ok) resolve(reply.result as ResultOf<K>);
          else reject(new Error(reply.error));
        });
        child.send({ kind, order });
      }),
  };
}
