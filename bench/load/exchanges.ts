/** Builds the frames of each workload, and names the beginning of the reply to them. */
import type { Speech } from './client.ts';
import type { Workload } from './orders.ts';
import { textFrame } from './wire.ts';

export interface Exchange {
  readonly next: () => Buffer;
  /** The answer starts with this text. */
  readonly replyStart: string;
}

/** Asks the upstream for this many tokens at this rate (rate 0: all in one piece). */
export function question(
  tokens: number,
  tokensPerSecond: number,
  kind: 'stamped' | 'plain' = 'stamped',
): string {
  return `tokens=${tokens} rate=${tokensPerSecond} ${kind} `.padEnd(
    QUESTION_LENGTH,
    'A patient of 54 with chest pain. ',
  );
}

const QUESTION_LENGTH = 200;
const ID_LENGTH = 10;
let sent = 0;

function message(content: string): () => Buffer {
  const at = '#'.repeat(ID_LENGTH);
  const template = textFrame(JSON.stringify({ type: 'message', id: at, content, policy: 'queue' }));
  const place = template.indexOf(at);
  return () => {
    sent += 1;
    const frame = Buffer.from(template);
    frame.write(sent.toString(36).padStart(ID_LENGTH, '0'), place, 'latin1');
    return frame;
  };
}

export function messageFrame(content: string): Buffer {
  return message(content)();
}

export function exchange(workload: Workload, speech: Speech, tokens = 1): Exchange {
  if (speech === 'socket.io') {
    if (workload !== 'extend') throw new Error('the Socket.IO server serves transitions only');
    const asked = textFrame('420["extend"]');
    return { next: () => asked, replyStart: '430' };
  }
  if (workload === 'extend') {
    const asked = textFrame('{"type":"extend"}');
    return { next: () => asked, replyStart: '{"type":"extended"' };
  }
  return {
    next: message(tokens === 1 ? question(1, 0) : question(tokens, PLAIN_PER_SECOND, 'plain')),
    replyStart: '{"type":"turn.completed"',
  };
}

export const PLAIN_PER_SECOND = 125;
