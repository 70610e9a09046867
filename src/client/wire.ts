/**
 * wire names the types of the frames that a client sends and receives. The client's own files take them from here. The
 * build writes the package's wire.d.ts from the schemas, because a user of the package has no zod.
 */
export type { CancelReason, OverlapPolicy, TopState } from '../../machines/vocabulary.ts';
export type {
  ClientFrame,
  ForkFrame,
  HelloFrame,
  MessageFrame,
  RegenerateFrame,
} from '../protocol/client-frames.ts';
export type { DurableFrame, ServerFrame, TransientFrame } from '../protocol/server-frames.ts';
