/**
 * UiChunk is one chunk of a UI message stream of the AI SDK. Clients before 5.0.217 and 6.0.231 end a stream at any key or
 * type that they do not know, so these are the only ones that the service sends.
 */
export type UiFinishReason = 'stop' | 'length' | 'content-filter' | 'tool-calls' | 'error' | 'other';

interface FinishChunk {
  readonly type: 'finish';
  readonly finishReason: UiFinishReason;
  /** Only where it says that a simulator answered. */
  readonly messageMetadata?: UiMetadata;
}

interface NamedChunk {
  readonly type: 'text-start' | 'text-end' | 'reasoning-start' | 'reasoning-end';
  readonly id: string;
}

interface DeltaChunk {
  readonly type: 'text-delta' | 'reasoning-delta';
  readonly id: string;
  readonly delta: string;
}

export type UiChunk =
  | { readonly type: 'start'; readonly messageId: string }
  | { readonly type: 'start-step' | 'finish-step' | 'abort' }
  | NamedChunk
  | DeltaChunk
  | { readonly type: 'error'; readonly errorText: string }
  | FinishChunk;

export interface UiMetadata {
  readonly simulated: true;
}

/** The reasons of model servers, as the AI SDK names them. */
export function uiFinishReason(reason: string): UiFinishReason {
  switch (reason) {
    case 'stop':
    case 'length':
      return reason;
    case 'content_filter':
      return 'content-filter';
    case 'tool_calls':
      return 'tool-calls';
    default:
      return 'other';
  }
}

/** The text that a page shows its user. */
export function uiErrorText({ code, message }: { readonly code: string; readonly message: string }): string {
  return `${message} (${code})`;
}
