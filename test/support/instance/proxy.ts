/**
 * A TCP proxy on loopback that a test can break: it loses or delays replies, pauses, cuts and refuses connections, and
 * leads to another server. It also counts chunks, so that a test can assert "one write".
 */
import { connect, createServer, type Socket } from 'node:net';

export interface TcpProxy {
  readonly port: number;
  /** Chunks that clients have sent since the last `resetCounts`. One write of a few KiB arrives as one chunk. */
  readonly chunksUp: number;
  resetCounts(): void;
  /** Drops all further replies on the open connections; requests still reach the server. */
  loseReplies(): void;
  /** Holds both directions back until `resume`. The connections stay open. */
  pause(): void;
  resume(): void;
  /** Delays each chunk of the server. */
  delayReplies(ms: number): void;
  /** Cuts every connection; later connections work. */
  cut(): void;
  /** Cuts every connection; later connections lead to another port, as after a failover. */
  leadTo(port: number): void;
  /** While true, the proxy accepts each connection and cuts it. */
  refuse(refusing: boolean): void;
  /** Counts how often the server sends these words from now on. */
  listenFor(words: string): () => number;
  stop(): Promise<void>;
}

interface Pair {
  readonly client: Socket;
  readonly server: Socket;
  losesReplies: boolean;
}

/** Counts words in a stream whose chunks may end in the middle of a word. */
interface WordCount {
  readonly words: string;
  readonly tails: WeakMap<Pair, string>;
  count: number;
}

function countIn(counter: WordCount, pair: Pair, chunk: string): void {
  const { words, tails } = counter;
  const text = (tails.get(pair) ?? '') + chunk;
  counter.count += text.split(words).length - 1;
  tails.set(pair, text.slice(-(words.length - 1)));
}

export async function startProxy(firstPort: number, targetHost = '127.0.0.1'): Promise<TcpProxy> {
  let targetPort = firstPort;
  const pairs = new Set<Pair>();
  let chunksUp = 0;
  let delayMs = 0;
  let paused = false;
  let refusing = false;
  const counters: WordCount[] = [];

  function cut(): void {
    for (const { client, server } of pairs) {
      client.destroy();
      server.destroy();
    }
    pairs.clear();
  }

  const listener = createServer((client) => {
    if (refusing) {
      client.destroy();
      return;
    }
    const server = connect(targetPort, targetHost);
    const pair: Pair = { client, server, losesReplies: false };
    pairs.add(pair);
    const part = () => {
      pairs.delete(pair);
      client.destroy();
      server.destroy();
    };
    for (const socket of [client, server]) {
      socket.setNoDelay(true);
      socket.on('error', part);
      socket.on('close', part);
      if (paused) socket.pause();
    }
    client.on('data', (chunk) => {
      chunksUp += 1;
      server.write(chunk);
    });
    server.on('data', (chunk) => {
      for (const counter of counters) countIn(counter, pair, chunk.toString('latin1'));
      if (pair.losesReplies) return;
      if (delayMs === 0) client.write(chunk);
      else setTimeout(() => client.writable && client.write(chunk), delayMs);
    });
  });
  await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve));
  const address = listener.address();
  if (address === null || typeof address === 'string') throw new Error('the proxy has no port');

  return {
    port: address.port,
    get chunksUp() {
      return chunksUp;
    },
    resetCounts() {
      chunksUp = 0;
    },
    loseReplies() {
      for (const pair of pairs) pair.losesReplies = true;
    },
    pause() {
      paused = true;
      for (const { client, server } of pairs) for (const socket of [client, server]) socket.pause();
    },
    resume() {
      paused = false;
      for (const { client, server } of pairs) for (const socket of [client, server]) socket.resume();
    },
    delayReplies(ms) {
      delayMs = ms;
    },
    cut,
    leadTo(port) {
      targetPort = port;
      cut();
    },
    refuse(value) {
      refusing = value;
    },
    listenFor(words) {
      const counter: WordCount = { words, tails: new WeakMap(), count: 0 };
      counters.push(counter);
      return () => counter.count;
    },
    async stop() {
      cut();
      await new Promise<void>((resolve) => listener.close(() => resolve()));
    },
  };
}
