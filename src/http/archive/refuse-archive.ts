import { codeOf } from '../../errors.ts';
import { Refusal } from '../core/answer.ts';

/** Turns an error of archive or store into a refusal, and rethrows any other. */
export function refuseArchive(error: unknown): never {
  const code = codeOf(error);
  if (code === 'ARCHIVE_BAD_CURSOR')
    throw new Refusal('bad_request', 'cursor: this service did not issue it');
  if (code.startsWith('ARCHIVE_')) throw new Refusal('archive_unavailable');
  if (code.startsWith('STORE_')) throw new Refusal('store_unavailable');
  throw error;
}
