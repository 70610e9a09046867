/**
 * A TCP proxy on loopback that can be told to misbehave: lose what the server answers, hold everything back, answer
 * late, cut connections, refuse new ones. It also counts what comes through, so that "one write" can be asserted.
 */
import { connect, createServer, type Socket } from 'node:net';

export interface TcpProxy {
  readonly port: number;
  /** Chunks that clients have sent since the last `resetCounts`. One write of a few KiB arrives as one chunk. */
  readonly chunksUp: number;
  resetCounts(): void;
  /** From now on nothing that the server says on today's connections reaches anybody; requests still go through. */
  loseReplies(): void;
  /** Hold everything back in both directions, until `resume`. The connections stay open. */
  pause(): void;
  resume(): void;
  /** Hold each of the server's chunks back for so long. */
  delayReplies(ms: number): void;
  /** Cut every connection, without a word. Connections made later behave normally again. */
  cut(): void;
  /** Cuts every connection; later connections lead to another port, as after a failover. */
  leadTo(port: number): void;
  /** While true, connections are accepted and cut at once. */
  refuse(refusing: boolean): void;
  /** How often the server says these words from now on. */
  listenFor(words: string): () => number;
  stop(): Promise<void>;
}

interface Pair {
  readonly client: Socket;
  readonly server: Socket;
  losesReplies: boolean;
}

/** Counts words in a stream that may be cut anywhere, also in the middle of a word. */
interface Ear {
  readonly words: string;
  readonly tails: WeakMap<Pair, string>;
  heard: number;
}

function hear(ear: Ear, pair: Pair, chunk: string): void {
  const { words, tails } = ear;
  const text = (tails.get(pair) ?? '') + chunk;
  ear.heard += text.split(words).length - 1;
  tails.set(pair, text.slice(-(words.length - 1)));
}

export async function startProxy(firstPort: number, targetHost = '127.0.0.1'): Promise<TcpProxy> {
  let targetPort = firstPort;
  const pairs = new Set<Pair>();
  let chunksUp = 0;
  let delayMs = 0;
  let paused = false;
  let refusing = false;
  const ears: Ear[] = [];

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
      for (const ear of ears) hear(ear, pair, chunk.toString('latin1'));
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
      const ear: Ear = { words, tails: new WeakMap(), heard: 0 };
      ears.push(ear);
      return () => ear.heard;
    },
    async stop() {
      cut();
      await new Promise<void>((resolve) => listener.close(() => resolve()));
    },
  };
}
