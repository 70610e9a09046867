/** Writes real audit files with the service's own writer, and checks them as `npm run audit` does. */
import { createSecretKey } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Access } from '../../src/audit/audit.ts';
import { type AuditLog, openAuditLog } from '../../src/audit/audit-log.ts';
import { chainKey } from '../../src/audit/chain.ts';
import type { ChainPoint } from '../../src/audit/sealed-line.ts';
import type { Finding, Verdict } from '../../src/audit/verify/findings.ts';
import { readAuditFile } from '../../src/audit/verify/read-lines.ts';
import { Reading } from '../../src/audit/verify/reading.ts';
import { verify } from '../../src/audit/verify/verify.ts';
import { VirtualClock } from './actor/virtual-clock.ts';

export const AUDIT_KEY = Buffer.alloc(32, 7).toString('base64');
const key = createSecretKey(AUDIT_KEY, 'base64');

export interface Audited {
  readonly folder: string;
  readonly clock: VirtualClock;
  /** The heads that the logs reported. */
  readonly heads: ChainPoint[];
  /** How many attempts to write failed. */
  failures(): number;
  file(name: string): string;
  open(name: string, options?: Partial<Parameters<typeof openAuditLog>[0]>): AuditLog;
  lines(name: string): string[];
  /** Writes the lines as a tamperer would. */
  rewrite(name: string, lines: readonly string[]): void;
  verdict(names: readonly string[], anchors?: readonly ChainPoint[]): Verdict;
  /** The first finding, as `kind file:line`; null: none. */
  firstFinding(names: readonly string[], anchors?: readonly ChainPoint[]): string | null;
  remove(): void;
}

export function auditedFolder(): Audited {
  const folder = mkdtempSync(join(tmpdir(), 'rehydra-audited-'));
  const clock = new VirtualClock(1_790_000_000_000);
  const heads: ChainPoint[] = [];
  let failures = 0;
  const file = (name: string): string => join(folder, name);
  const log = {
    debug() {},
    warn() {},
    error() {},
    info(fields: unknown) {
      const { auditHead } = fields as { readonly auditHead?: ChainPoint };
      if (auditHead !== undefined) heads.push(auditHead);
    },
  };
  const verdict: Audited['verdict'] = (names, anchors = []) => {
    const reading = new Reading(chainKey(key));
    for (const name of names) readAuditFile(reading, file(name));
    return verify(reading, anchors);
  };
  return {
    folder,
    clock,
    heads,
    failures: () => failures,
    file,
    open: (name, options = {}) =>
      openAuditLog({
        destination: file(name),
        instance: 'one',
        key,
        isStrict: false,
        clock,
        log,
        failed() {
          failures += 1;
        },
        ...options,
      }),
    lines: (name) => readFileSync(file(name), 'latin1').split('\n').slice(0, -1),
    rewrite: (name, lines) => writeFileSync(file(name), lines.map((line) => `${line}\n`).join(''), 'latin1'),
    verdict,
    firstFinding(names, anchors) {
      const first: Finding | undefined = verdict(names, anchors).findings[0];
      if (first === undefined) return null;
      const { kind, place } = first;
      return place === null ? kind : `${kind} ${place.file.slice(folder.length + 1)}:${place.line}`;
    },
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
}

export const access = (sessionId: string, more: Partial<Access> = {}): Access => ({
  action: 'read',
  outcome: 'ok',
  sessionId,
  userId: 'dr-a',
  clientId: null,
  address: '192.0.2.1',
  channel: { kind: 'http', route: 'GET /api/session/:id', requestId: 'r-1' },
  ...more,
});
