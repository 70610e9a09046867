/** Builds the frames of each workload, and names the beginning of the reply to them. */
import type { Workload } from './orders.ts';
import { textFrame } from './wire.ts';

export interface Exchange {
  readonly next: () => Buffer;
  /** The answer starts with this text. */
  readonly replyStart: string;
}

/** Asks the upstream for this many tokens at this rate (rate 0: immediately; 0 tokens: no answer). */
export function question(tokens: number, tokensPerSecond: number): string {
  return `tokens=${tokens} rate=${tokensPerSecond} `.padEnd(
    QUESTION_LENGTH,
    'A patient of 54 with chest pain. ',
  );
}

const QUESTION_LENGTH = 200;
const ID_LENGTH = 10;
let sent = 0;

function message(content: string, policy: 'queue' | 'rollback'): () => Buffer {
  const at = '#'.repeat(ID_LENGTH);
  const template = textFrame(JSON.stringify({ type: 'message', id: at, content, policy }));
  const place = template.indexOf(at);
  return () => {
    sent += 1;
    const frame = Buffer.from(template);
    frame.write(sent.toString(36).padStart(ID_LENGTH, '0'), place, 'latin1');
    return frame;
  };
}

export function messageFrame(content: string): Buffer {
  return message(content, 'queue')();
}

const CANCEL_REFUSED = '{"type":"error","code":"unknown_turn"';

export function exchange(workload: Workload): Exchange {
  switch (workload) {
    case 'extend': {
      const both = Buffer.concat([textFrame('{"type":"extend"}'), textFrame('{"type":"cancel"}')]);
      return { next: () => both, replyStart: CANCEL_REFUSED };
    }
    case 'restart':
      return { next: message(question(0, 0), 'rollback'), replyStart: '{"type":"turn.started"' };
    case 'turn':
      return { next: message(question(1, 0), 'queue'), replyStart: '{"type":"turn.completed"' };
  }
}
