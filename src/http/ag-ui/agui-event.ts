/**
 * AgUiEvent is one event of AG-UI. Clients of version 1 drop fields that they do not know, and older clients end a run at
 * values that they do not know, so these are the only ones that the service sends.
 */
import type { TopState } from '../../../machines/vocabulary.ts';

/** A message as AG-UI has it. Fields that the service does not know stay as the client sent them. */
export interface AgUiMessage {
  readonly [field: string]: unknown;
  readonly id: string;
  readonly role: string;
}

/** The machine's own names. What the frames of a turn tell goes deeper than what is known of a session at rest. */
export type ShownState = TopState | 'processing.generating';

interface MetadataOfMessage {
  readonly simulated: true;
}

export type RunEnd =
  | {
      readonly type: 'RUN_FINISHED';
      readonly threadId: string;
      readonly runId: string;
      readonly result: {
        /** The model server's reason, or `cancelled`: clients before version 1 know no outcome for a run that was stopped. */
        readonly finishReason: string;
        readonly simulated?: true;
      };
      readonly usage?: readonly [
        { readonly model?: string; readonly inputTokens: number; readonly outputTokens: number },
      ];
    }
  | { readonly type: 'RUN_ERROR'; readonly message: string; readonly code: string };

export type AgUiEvent =
  | RunEnd
  | { readonly type: 'RUN_STARTED'; readonly threadId: string; readonly runId: string }
  | { readonly type: 'STATE_SNAPSHOT'; readonly snapshot: Readonly<Record<string, unknown>> }
  | { readonly type: 'MESSAGES_SNAPSHOT'; readonly messages: readonly AgUiMessage[] }
  | {
      readonly type: 'TEXT_MESSAGE_START';
      readonly messageId: string;
      readonly role: 'assistant';
      readonly metadata?: MetadataOfMessage;
    }
  | {
      readonly type: 'TEXT_MESSAGE_CONTENT' | 'REASONING_MESSAGE_CONTENT';
      readonly messageId: string;
      readonly delta: string;
    }
  | { readonly type: 'REASONING_MESSAGE_START'; readonly messageId: string; readonly role: 'reasoning' }
  | {
      readonly type: 'TEXT_MESSAGE_END' | 'REASONING_START' | 'REASONING_MESSAGE_END' | 'REASONING_END';
      readonly messageId: string;
    };
