import type { SessionContext } from '../../../machines/vocabulary.ts';
import type { SessionIndex } from '../../store/contract.ts';
import { topState } from './step.ts';

/** What a session in this state and context is listed and counted by. */
export function indexOf(value: unknown, { userId, createdAt }: SessionContext): SessionIndex {
  return { state: topState(value), userId, createdAt };
}
