/**
 * The pipeline is the least Redis client: one write per turn of Node's event loop, one callback per reply. It reads only
 * integers and simple strings, and ends the process on any error.
 */
import { connect } from 'node:net';

export interface Pipeline {
  /** One command, already in RESP. */
  send(command: string, onReply: (reply: string) => void): void;
}

export function argument(text: string): string {
  return `$${Buffer.byteLength(text)}\r\n${text}\r\n`;
}

export function command(...words: readonly string[]): string {
  return `*${words.length}\r\n${words.map(argument).join('')}`;
}

export function openPipeline(port: number): Pipeline {
  const socket = connect({ host: '127.0.0.1', port, noDelay: true });
  let commands: string[] = [];
  let callbacks: ((reply: string) => void)[] = [];
  let answered = 0;
  let rest = '';

  function flush(): void {
    const text = commands.join('');
    commands = [];
    socket.write(text);
  }

  socket.on('data', (bytes) => {
    const text = rest + bytes.toString('latin1');
    let at = 0;
    for (let end = text.indexOf('\r\n', at); end !== -1; end = text.indexOf('\r\n', at)) {
      const line = text.slice(at, end);
      at = end + 2;
      if (line.startsWith('-') || line.startsWith(':-'))
        throw new Error(`Redis answered the floor with ${line}`);
      // A bulk string (the reply to SCRIPT LOAD): its length, then itself.
      if (line.startsWith('$')) continue;
      callbacks[answered]?.(line);
      answered += 1;
    }
    rest = text.slice(at);
    if (answered > 4_096) {
      callbacks = callbacks.slice(answered);
      answered = 0;
    }
  });

  return {
    send(text, onReply) {
      callbacks.push(onReply);
      if (commands.push(text) === 1) setImmediate(flush);
    },
  };
}
