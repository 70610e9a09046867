/** Estimates the tokens of a prompt. tokenizer.ts implements the same interface with the server's own count. */
import type { Message } from '../../generation/port.ts';

export interface TokenCounter {
  /** 'estimate' as soon as one number did not come from the server. */
  readonly by: 'tokenizer' | 'estimate';
  /** What every prompt costs before its first message. */
  overhead(): Promise<number>;
  /** What each message adds to a prompt. */
  costs(messages: readonly Message[]): Promise<readonly number[]>;
  /** The whole prompt, with the opening of the answer. */
  whole(messages: readonly Message[]): Promise<number>;
}

/**
 * English has four to five bytes a token, other languages rarely under three; some tokenizers give every digit a token
 * of its own, and clinical text is full of digits.
 */
const BYTES_PER_TOKEN = 3;
/** Role markers and line ends: 3 to 6 in the known chat templates. */
const TOKENS_PER_MESSAGE = 8;
/** Beginning of text, a default preamble, the opening of the answer. */
const OVERHEAD_TOKENS = 16;

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
  return messages.reduce((sum, message) => sum + estimateMessage(message), OVERHEAD_TOKENS);
}

export const estimateCounter: TokenCounter = {
  by: 'estimate',
  overhead: async () => OVERHEAD_TOKENS,
  costs: async (messages) => messages.map(estimateMessage),
  whole: async (messages) => estimatePrompt(messages),
};
