/** The generator is a process of its own that executes one order after another. */
import { summarise } from '../measure/summary.ts';
import { type Client, connectClient, type HelloFields, hello, type Speech } from './client.ts';
import { closedLoop } from './closed-loop.ts';
import { exchange } from './exchanges.ts';
import type { OrderOf, Reply, Request, ResultOf } from './orders.ts';
import { fromUpstream, throughService } from './streams.ts';
import { textFrame } from './wire.ts';

const groups = new Map<string, Client[]>();
const OPENING_AT_ONCE = 32;
const ANSWER_WITHIN_MS = 20_000;
const TRIES = 100;
const AGAIN_AFTER_MS = 500;

function groupOf(name: string): Client[] {
  return groups.get(name) ?? [];
}

/** Runs `count` tasks, `atOnce` at a time. */
async function each(count: number, atOnce: number, task: (index: number) => Promise<void>): Promise<void> {
  let next = 0;
  const lane = async () => {
    while (next < count) {
      const index = next;
      next += 1;
      await task(index);
    }
  };
  await Promise.all(Array.from({ length: Math.min(atOnce, count) }, lane));
}

/** An overloaded instance refuses a client and closes its connection; the client comes again. */
async function welcomed(
  port: number,
  speech: Speech,
  sessionId: string | undefined,
  fields: HelloFields | undefined,
): Promise<Client> {
  for (let tries = 1; ; tries++) {
    const client = await connectClient(port, speech);
    try {
      await hello(client, speech, sessionId, fields);
      return client;
    } catch (error) {
      client.destroy();
      if (tries === TRIES || !String(error).includes('"retryable":true')) throw error;
      await new Promise((resume) => setTimeout(resume, AGAIN_AFTER_MS));
    }
  }
}

async function open({
  group,
  port,
  count,
  speech = 'rehydra',
  atOnce = OPENING_AT_ONCE,
  sessionIds,
  hellos,
}: OrderOf<'open'>): Promise<ResultOf<'open'>> {
  const clients = groupOf(group);
  groups.set(group, clients);
  const beganAt = performance.now();
  const opened = new Array<string>(count);
  await each(count, atOnce, async (index) => {
    const client = await welcomed(port, speech, sessionIds?.[index], hellos?.[index]);
    clients.push(client);
    opened[index] = client.sessionId;
  });
  return { sessionIds: opened, tookMs: performance.now() - beganAt };
}

async function attach({ port, sessionIds, atOnce }: OrderOf<'attach'>): Promise<ResultOf<'attach'>> {
  const latencies: number[] = [];
  const clients: Client[] = [];
  await each(sessionIds.length, atOnce, async (index) => {
    const client = await connectClient(port, 'rehydra');
    latencies.push(await hello(client, 'rehydra', sessionIds[index]));
    clients.push(client);
  });
  for (const client of clients) client.destroy();
  return summarise(latencies);
}

function loop(order: OrderOf<'loop'>): Promise<ResultOf<'loop'>> {
  return closedLoop(groupOf(order.group), exchange(order.workload, order.speech), order);
}

async function talk({ group, tokens }: OrderOf<'talk'>): Promise<ResultOf<'talk'>> {
  const { next, replyStart } = exchange('turn', 'rehydra', tokens);
  const clients = groupOf(group);
  await Promise.all(
    clients.map(
      (client) =>
        new Promise<void>((resolve, reject) => {
          const timer = setTimeout(() => reject(new Error('a turn did not end')), ANSWER_WITHIN_MS);
          client.onText = (payload) => {
            if (!payload.toString('latin1').startsWith(replyStart)) return;
            clearTimeout(timer);
            resolve();
          };
          client.send(next());
        }),
    ),
  );
  return { turns: clients.length };
}

async function end({ group, how }: OrderOf<'end'>): Promise<ResultOf<'end'>> {
  const clients = groupOf(group);
  groups.delete(group);
  const gone = clients.map(
    (client) =>
      new Promise<void>((resolve) => {
        client.onGone = resolve;
        setTimeout(resolve, ANSWER_WITHIN_MS).unref();
      }),
  );
  for (const client of clients) {
    if (how === 'close') client.send(textFrame('{"type":"close"}'));
    else client.destroy();
  }
  await Promise.all(gone);
  for (const client of clients) client.destroy();
  return { ended: clients.length };
}

function execute(request: Request): Promise<unknown> {
  switch (request.kind) {
    case 'open':
      return open(request.order);
    case 'loop':
      return loop(request.order);
    case 'talk':
      return talk(request.order);
    case 'streams':
      return throughService(groupOf(request.order.group), request.order);
    case 'direct':
      return fromUpstream(request.order);
    case 'attach':
      return attach(request.order);
    case 'end':
      return end(request.order);
  }
}

function described({ kind, order }: Request): string {
  const group = 'group' in order ? ` for ${order.group}` : '';
  return 'workload' in order ? `${kind} of ${order.workload}${group}` : `${kind}${group}`;
}

process.on('message', (request: Request) => {
  const answer = (reply: Reply) => process.send?.(reply);
  execute(request).then(
    (result) => answer({ ok: true, result }),
    (error: unknown) => answer({ ok: false, error: `${described(request)}: ${error}` }),
  );
});
process.on('disconnect', () => process.exit());
