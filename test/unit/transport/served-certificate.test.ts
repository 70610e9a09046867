import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { type Certificate, readCertificate } from '../../../src/transport/certificate.ts';
import { keepCertificate } from '../../../src/transport/served-certificate.ts';
import { VirtualClock } from '../../support/actor/virtual-clock.ts';
import { makeCertificate, writeCertificate } from '../../support/certificates.ts';

const DAY_MS = 86_400_000;
const SOON = 'the certificate of TLS_CERT ends soon';
const OVER = 'the certificate of TLS_CERT has ended: clients refuse it';
const KEPT = 'the new certificate cannot be used, the former one stays';
const NEW = 'new connections get the new certificate';

const folder = mkdtempSync(join(tmpdir(), 'rehydra-certificate-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function keeper(days: number, serve: (certificate: Certificate) => void = () => {}) {
  const { cert, key } = writeCertificate(folder, makeCertificate('one', days));
  const clock = new VirtualClock(Date.now());
  const told: string[] = [];
  const tell = (...line: readonly unknown[]): void => void told.push(String(line.at(-1)));
  const log = { debug: tell, info: tell, warn: tell, error: tell };
  const certificate = readCertificate({ certPath: cert, keyPath: key });
  const kept = keepCertificate({ certificate, serve, clock, log });
  return { clock, told, kept };
}

it('the log warns each day from two weeks before the end of a certificate, and says when it has ended', () => {
  const { clock, told, kept } = keeper(16);
  for (let day = 1; day <= 17; day += 1) clock.advance(DAY_MS);
  expect(told.filter((line) => line === SOON)).toHaveLength(14);
  expect(told.at(-1)).toBe(OVER);
  const { length } = told;
  kept.stop();
  clock.advance(3 * DAY_MS);
  expect(told).toHaveLength(length);
});

it('a renewed certificate ends the warnings of the former one', () => {
  const { clock, told, kept } = keeper(3);
  expect(told).toEqual([SOON]);
  writeCertificate(folder, makeCertificate('two', 90));
  kept.reload();
  clock.advance(5 * DAY_MS);
  expect(told).toEqual([SOON, NEW]);
});

it('a certificate that the server refuses stays a candidate: the next signal tries the same files again', () => {
  const served: string[] = [];
  let isRefused = true;
  const { told, kept } = keeper(90, ({ fingerprint }) => {
    if (isRefused) throw new Error('refused');
    served.push(fingerprint);
  });
  writeCertificate(folder, makeCertificate('two', 90));
  kept.reload();
  expect(told).toEqual([KEPT]);
  isRefused = false;
  kept.reload();
  kept.reload();
  expect(told).toEqual([KEPT, NEW]);
  expect(served).toHaveLength(1);
});

it('a certificate between the writes of its two files is not served', () => {
  const served: Certificate[] = [];
  const { told, kept } = keeper(90, (certificate) => void served.push(certificate));
  const next = makeCertificate('two', 90);
  writeFileSync(join(folder, 'tls.crt'), next.cert);
  kept.reload();
  expect([told, served]).toEqual([[KEPT], []]);
  writeCertificate(folder, next);
  kept.reload();
  expect(told).toEqual([KEPT, NEW]);
});
