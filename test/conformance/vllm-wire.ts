/** Checks what a transport of the vLLM client makes of the bytes on the wire, whichever transport it is. */
import { brotliCompressSync, constants, createGzip, deflateSync, gzipSync } from 'node:zlib';
import { afterEach, describe, expect, test } from 'vitest';
import type { Generator } from '../../src/generation/port.ts';
import type { TransportName } from '../../src/generation/upstream/transport.ts';
import type { GenerationTimeouts } from '../../src/generation/upstream/watchdog.ts';
import { createVllmGenerator } from '../../src/generation/vllm.ts';
import { DONE, deltaOf } from '../unit/generation/scripted-upstream.ts';
import { type Asked, hear } from './vllm-listening.ts';
import {
  chunkOf,
  LAST_CHUNK,
  STREAM,
  startWireServer,
  type WireRequest,
  type WireServer,
  writeApart,
} from './wire-server.ts';

const WHOLE = deltaOf('é🩺') + deltaOf('–', 'stop') + DONE;

export function describeWire(transport: TransportName): void {
  describe('the wire', () => {
    const servers: WireServer[] = [];
    const generators: Generator[] = [];
    afterEach(async () => {
      await Promise.all(generators.splice(0).map((generator) => generator.close()));
      for (const server of servers.splice(0)) server.close();
    });

    async function serve(answer: (request: WireRequest) => void, limits: Partial<GenerationTimeouts> = {}) {
      const server = await startWireServer(answer);
      servers.push(server);
      const generator = createVllmGenerator({
        baseUrls: [server.url],
        transport,
        model: 'm',
        timeouts: { firstTokenMs: 20_000, interTokenMs: 20_000, totalMs: 60_000, ...limits },
        defaultMaxTokens: 10,
      });
      generators.push(generator);
      return { ask: (asked?: Asked) => hear(generator, asked), requests: server.requests };
    }

    test('an answer whose every byte arrives alone is whole', async () => {
      const bytes = Buffer.concat([Buffer.from(`${STREAM}\r\n`), chunkOf(WHOLE), Buffer.from(LAST_CHUNK)]);
      const { ask } = await serve(({ socket }) => {
        socket.setNoDelay(true);
        void writeApart(
          socket,
          Array.from(bytes, (byte) => Uint8Array.of(byte)),
        );
      });
      expect(await ask()).toMatchObject({ text: 'é🩺–', result: { kind: 'completed' } });
    });

    test('a character that two chunks share is whole', async () => {
      const bytes = Buffer.from(WHOLE);
      const middle = bytes.indexOf(Buffer.from('🩺')) + 2;
      const { ask } = await serve(({ socket }) => {
        const pieces = [chunkOf(bytes.subarray(0, middle)), chunkOf(bytes.subarray(middle)), LAST_CHUNK];
        void writeApart(socket, [`${STREAM}\r\n`, ...pieces]);
      });
      expect(await ask()).toMatchObject({ text: 'é🩺–', result: { kind: 'completed' } });
    });

    test('CRLF line ends and comments change nothing', async () => {
      const body = `: hello\n\n${WHOLE.replaceAll('data:', ': keep-alive\ndata:')}`.replaceAll('\n', '\r\n');
      const { ask } = await serve(({ socket }) => {
        socket.write(`${STREAM}\r\n`);
        socket.write(chunkOf(body));
        socket.write(LAST_CHUNK);
      });
      expect(await ask()).toMatchObject({ text: 'é🩺–', result: { kind: 'completed' } });
    });

    test.each([
      ['a FIN', (request: WireRequest) => request.socket.end()],
      ['a reset', (request: WireRequest) => request.socket.resetAndDestroy()],
    ])(
      '%s in the middle of an event keeps the text before it, and fails as truncated',
      async (_name, cut) => {
        let seen: () => void = () => {};
        const { ask, requests } = await serve((request) => {
          seen = () => cut(request);
          request.socket.write(`${STREAM}\r\n`);
          request.socket.write(chunkOf(deltaOf('a') + deltaOf('b', 'stop').slice(0, 40)));
        });
        const { text, result } = await ask({ onChunk: () => seen() });
        expect(text).toBe('a');
        expect(result).toMatchObject({ kind: 'failed', code: 'upstream_truncated', retryable: true });
        expect(requests()).toBe(1);
      },
    );

    test('a server that resets each connection before its first byte gets the request twice, and is unavailable', async () => {
      const { ask, requests } = await serve(({ socket }) => void socket.resetAndDestroy());
      expect((await ask()).result).toMatchObject({ code: 'upstream_unavailable', retryable: true });
      expect(requests()).toBe(2);
    });

    test('a server that closes an idle connection under a request gets it on another one, with another id', async () => {
      const ids: (string | undefined)[] = [];
      const { ask } = await serve(({ head, socket, number }) => {
        ids.push(/\nx-request-id: (\S+)/.exec(head)?.[1]);
        if (number === 2) return void socket.destroy();
        socket.write(`${STREAM}\r\n`);
        socket.write(chunkOf(WHOLE));
        socket.write(LAST_CHUNK);
      });
      expect((await ask()).result).toMatchObject({ kind: 'completed' });
      expect(await ask()).toMatchObject({ text: 'é🩺–', result: { kind: 'completed' } });
      expect(ids).toHaveLength(3);
      expect(new Set(ids).size).toBe(3);
    });

    test('answers that end with [DONE] share one connection, even if the end of the body comes apart', async () => {
      const connections = new Set<number>();
      const { ask } = await serve(({ socket, connection }) => {
        connections.add(connection);
        void writeApart(socket, [`${STREAM}\r\n`, chunkOf(WHOLE), LAST_CHUNK]);
      });
      for (let n = 0; n < 5; n += 1) expect((await ask()).result).toMatchObject({ kind: 'completed' });
      // A connection whose last bytes arrive late is not free at once; the others serve again.
      expect(connections.size).toBeLessThanOrEqual(2);
    });

    test('a request that the client gives up before it leaves never reaches the server', async () => {
      const { ask, requests } = await serve(({ socket }) => {
        socket.write(`${STREAM}\r\n`);
        socket.write(chunkOf(WHOLE));
        socket.write(LAST_CHUNK);
      });
      expect((await ask()).result).toMatchObject({ kind: 'completed' });
      const leave = new AbortController();
      const left = ask({ signal: leave.signal });
      // The request waits for its connection, which needs a round of the event loop.
      for (let n = 0; n < 20; n += 1) await Promise.resolve();
      leave.abort();
      expect((await left).result).toEqual({ kind: 'aborted' });
      expect(await ask()).toMatchObject({ text: 'é🩺–', result: { kind: 'completed' } });
      expect(requests()).toBe(2);
    });

    test('a hundred answers at once, a third of them given up midway, keep apart', async () => {
      const { ask } = await serve(({ head, socket }) => {
        const id = /\nx-request-id: (\S+)-1-/.exec(head)?.[1] ?? '';
        const pieces = [chunkOf(deltaOf(`${id} `)), chunkOf(deltaOf(id, 'stop') + DONE), LAST_CHUNK];
        void writeApart(socket, [`${STREAM}\r\n`, ...pieces]);
      });
      const answers = Array.from({ length: 100 }, async (_, n) => {
        const leave = new AbortController();
        const onChunk = () => (n % 3 === 0 ? leave.abort() : undefined);
        const { turnId, text, result, lateChunks } = await ask({ signal: leave.signal, onChunk });
        expect(lateChunks()).toBe(0);
        if (n % 3 === 0)
          expect({ text, result }).toEqual({ text: `${turnId} `, result: { kind: 'aborted' } });
        else expect({ text, kind: result.kind }).toEqual({ text: `${turnId} ${turnId}`, kind: 'completed' });
      });
      await Promise.all(answers);
    });

    test('[DONE] completes an answer whose body never ends, and the client closes its connection', async () => {
      let closed: () => void = () => {};
      const isClosed = new Promise<void>((resolve) => {
        closed = resolve;
      });
      const { ask } = await serve(({ socket }) => {
        socket.once('close', closed);
        socket.write(`${STREAM}\r\n`);
        socket.write(chunkOf(WHOLE));
      });
      expect(await ask()).toMatchObject({ text: 'é🩺–', result: { kind: 'completed' } });
      await isClosed;
    });

    test.each([301, 302, 303, 307, 308])(
      'a redirect with status %i is refused, and not followed',
      async (status) => {
        const { ask, requests } = await serve(({ socket }) => {
          socket.write(`HTTP/1.1 ${status} Moved\r\nlocation: /v1/elsewhere\r\ncontent-length: 0\r\n\r\n`);
        });
        expect((await ask()).result).toMatchObject({ code: 'upstream_rejected', retryable: false });
        expect(requests()).toBe(1);
      },
    );

    test('informational responses before an answer are no answer', async () => {
      const { ask } = await serve(({ socket }) => {
        socket.write('HTTP/1.1 102 Processing\r\n\r\n');
        socket.write('HTTP/1.1 103 Early Hints\r\nlink: </x>; rel=preload\r\n\r\n');
        socket.write(`${STREAM}\r\n`);
        socket.write(chunkOf(WHOLE));
        socket.write(LAST_CHUNK);
      });
      expect(await ask()).toMatchObject({ text: 'é🩺–', result: { kind: 'completed' } });
    });

    test('trailers after the last chunk change nothing', async () => {
      const { ask } = await serve(({ socket }) => {
        socket.write(`${STREAM}trailer: server-timing\r\n\r\n`);
        socket.write(chunkOf(WHOLE));
        socket.write('0\r\nserver-timing: total;dur=12\r\n\r\n');
      });
      for (let n = 0; n < 2; n += 1)
        expect(await ask()).toMatchObject({ text: 'é🩺–', result: { kind: 'completed' } });
    });

    test('a body that ends with its connection is whole', async () => {
      const { ask } = await serve(({ socket }) => {
        socket.write('HTTP/1.0 200 OK\r\ncontent-type: text/event-stream\r\n\r\n');
        socket.end(WHOLE.slice(0, -DONE.length));
      });
      expect(await ask()).toMatchObject({ text: 'é🩺–', result: { kind: 'completed' } });
    });

    test('bytes that are no HTTP make the server unavailable', async () => {
      const { ask } = await serve(({ socket }) => void socket.end('SSH-2.0-OpenSSH_9.9\r\n'));
      expect((await ask()).result).toMatchObject({ code: 'upstream_unavailable', retryable: true });
    });

    describe('compression', () => {
      const coded = (coding: string, body: Uint8Array) => (request: WireRequest) => {
        const { socket } = request;
        socket.write(`${STREAM}content-encoding: ${coding}\r\n\r\n`);
        const middle = Math.floor(body.length / 2);
        const pieces = [chunkOf(body.subarray(0, middle)), chunkOf(body.subarray(middle)), LAST_CHUNK];
        void writeApart(socket, pieces);
      };

      test.each([
        ['gzip', gzipSync(WHOLE)],
        ['GZIP', gzipSync(WHOLE)],
        ['deflate', deflateSync(WHOLE)],
        ['br', brotliCompressSync(WHOLE)],
        ['identity', Buffer.from(WHOLE)],
      ])('an answer with the content-encoding %s is whole', async (coding, body) => {
        const { ask } = await serve(coded(coding, body));
        for (let n = 0; n < 2; n += 1)
          expect(await ask()).toMatchObject({ text: 'é🩺–', result: { kind: 'completed' } });
      });

      test('the first token of a compressed answer arrives before the server has sent the second', async () => {
        let more: () => void = () => {};
        const { ask } = await serve(({ socket }) => {
          const gzip = createGzip({ flush: constants.Z_SYNC_FLUSH });
          gzip.on('data', (bytes: Buffer) => socket.write(chunkOf(bytes)));
          gzip.on('end', () => socket.write(LAST_CHUNK));
          socket.write(`${STREAM}content-encoding: gzip\r\n\r\n`);
          gzip.write(deltaOf('a'));
          more = () => gzip.end(deltaOf('b', 'stop') + DONE);
        });
        const { text, result } = await ask({
          onChunk: () => {
            more();
            more = () => {};
          },
        });
        expect({ text, kind: result.kind }).toEqual({ text: 'ab', kind: 'completed' });
      });

      test('a compressed answer that is cut keeps the text before it, and fails as truncated', async () => {
        let cut: () => void = () => {};
        const { ask } = await serve(({ socket }) => {
          const gzip = createGzip({ flush: constants.Z_SYNC_FLUSH });
          gzip.on('data', (bytes: Buffer) => socket.write(chunkOf(bytes)));
          socket.write(`${STREAM}content-encoding: gzip\r\n\r\n`);
          gzip.write(deltaOf('a'));
          cut = () => socket.end();
        });
        const { text, result } = await ask({ onChunk: () => cut() });
        expect(text).toBe('a');
        expect(result).toMatchObject({ kind: 'failed', code: 'upstream_truncated' });
      });

      test('bytes that are not what their content-encoding says fail, and the turn can retry', async () => {
        // Some versions of Node's fetch stay silent here, so that the watchdog ends the attempt.
        const { ask } = await serve(coded('gzip', Buffer.from(WHOLE)), { firstTokenMs: 1_000 });
        expect((await ask()).result).toMatchObject({ kind: 'failed', retryable: true });
      });

      test('the words of a compressed refusal are read', async () => {
        const words = "This model's maximum context length is 4096 tokens.";
        const body = gzipSync(JSON.stringify({ error: { message: words } }));
        const { ask } = await serve(({ socket }) => {
          const head = `content-encoding: gzip\r\ncontent-length: ${body.length}\r\n\r\n`;
          socket.write(`HTTP/1.1 400 Bad Request\r\n${head}`);
          socket.write(body);
        });
        expect((await ask()).result).toMatchObject({ code: 'context_length_exceeded', contextLimit: 4096 });
      });
    });
  });
}
