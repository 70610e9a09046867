/** Counts what a prompt costs: the seam between the window and whoever counts. */
import type { Message } from '../../generation/port.ts';

export interface TokenCounter {
  /** 'estimate' as soon as one number was not the server's. */
  readonly by: 'tokenizer' | 'estimate';
  /** What every prompt costs before its first message. */
  fixed(): Promise<number>;
  /** What each message adds to a prompt. */
  costs(messages: readonly Message[]): Promise<readonly number[]>;
  /** The whole prompt, with the opening of the answer. */
  whole(messages: readonly Message[]): Promise<number>;
}

/**
 * The estimate, where no tokenizer can be asked. English has four to five bytes a token, other languages rarely
 * under three; some tokenizers give every digit a token of its own, and clinical text is full of digits.
 */
const BYTES_PER_TOKEN = 3;
/** Role markers and line ends: 3 to 6 in the known chat templates. */
const TOKENS_PER_MESSAGE = 8;
/** Beginning of text, a default preamble, the opening of the answer. */
const FIXED_TOKENS = 16;

export function estimateTokens(text: string): number {
  let digits = 0;
  for (let at = 0; at < text.length; at += 1) {
    const unit = text.charCodeAt(at);
    if (unit >= 48 && unit <= 57) digits += 1;
  }
  return digits + Math.ceil((Buffer.byteLength(text) - digits) / BYTES_PER_TOKEN);
}

export function estimateMessage(message: Message): number {
  return estimateTokens(message.content) + TOKENS_PER_MESSAGE;
}

export function estimatePrompt(messages: readonly Message[]): number {
  return messages.reduce((sum, message) => sum + estimateMessage(message), FIXED_TOKENS);
}

export const estimateCounter: TokenCounter = {
  by: 'estimate',
  fixed: async () => FIXED_TOKENS,
  costs: async (messages) => messages.map(estimateMessage),
  whole: async (messages) => estimatePrompt(messages),
};
