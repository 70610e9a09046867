/** An archive that is timed from outside, and whose failures are counted by what was asked of it. */
import type { Archive } from '../archive/archive.ts';
import { codeOf } from '../errors.ts';
import type { ArchiveCall, Meters } from '../telemetry/meters.ts';

/** Asked for wrongly: nothing of ours failed. */
const CLIENTS_FAULT = 'ARCHIVE_BAD_CURSOR';

export function measuredArchive(archive: Archive, meters: Meters): Archive {
  const failedIn = (call: ArchiveCall) => (error: unknown) => {
    if (codeOf(error) !== CLIENTS_FAULT) meters.archiveCallFailed(call);
    throw error;
  };
  return {
    ...archive,
    async store(session) {
      const startedAt = performance.now();
      await archive.store(session).catch(failedIn('store'));
      meters.archived((performance.now() - startedAt) / 1_000);
    },
    read: (sessionId) => archive.read(sessionId).catch(failedIn('read')),
    search: (query) => archive.search(query).catch(failedIn('search')),
    figures: (range) => archive.figures(range).catch(failedIn('figures')),
    eraseSession: (...args) => archive.eraseSession(...args).catch(failedIn('erase')),
    eraseUser: (...args) => archive.eraseUser(...args).catch(failedIn('erase')),
    retire: (before) => archive.retire(before).catch(failedIn('retire')),
  };
}
