/**
 * ServedCertificate replaces the certificate when its files have changed, and warns before it ends.
 *
 *  CERTIFICATE-1  Files that cannot be used leave the former certificate in service. The log has the reason.
 *  CERTIFICATE-2  Equal files change nothing: a nightly SIGHUP for the audit log must not make an app each time.
 */
import type { Clock } from '../clock.ts';
import { reasonOf } from '../startup/start-failure.ts';
import type { Log } from '../telemetry/log.ts';
import { type Certificate, readCertificate } from './certificate.ts';

export interface ServedCertificate {
  /** Reads the files again. */
  reload(): void;
  stop(): void;
}

export interface CertificatePorts {
  readonly certificate: Certificate;
  /** Throws if the certificate cannot be served. */
  readonly serve: (certificate: Certificate) => void;
  readonly clock: Clock;
  readonly log: Log;
}

const DAY_MS = 86_400_000;
/** Issuers renew a certificate of 90 days a month before its end, so at two weeks a renewal has failed. */
const WARN_BEFORE_MS = 14 * DAY_MS;

export function keepCertificate(ports: CertificatePorts): ServedCertificate {
  const { serve, clock, log } = ports;
  let current = ports.certificate;
  const warnOfEnd = (): void => {
    const leftMs = current.endsAt - clock.now();
    const endsAt = new Date(current.endsAt).toISOString();
    if (leftMs <= 0) log.error({ endsAt }, 'the certificate of TLS_CERT has ended: clients refuse it');
    else if (leftMs <= WARN_BEFORE_MS) log.warn({ endsAt }, 'the certificate of TLS_CERT ends soon');
  };
  const warn = (): void => {
    if (current.isKeyExposed)
      log.warn('every user of this machine may read the file of TLS_KEY; set its mode to 0600');
    warnOfEnd();
  };
  let cancel = (): void => {};
  const watch = (): void => {
    cancel = clock.after(DAY_MS, () => {
      warnOfEnd();
      watch();
    });
  };
  warn();
  watch();
  return {
    reload() {
      try {
        const next = readCertificate(current);
        if (next.fingerprint === current.fingerprint) return; // CERTIFICATE-2
        serve(next);
        current = next;
        log.info({ endsAt: new Date(next.endsAt).toISOString() }, 'new connections get the new certificate');
        warn();
      } catch (error) {
        const reason = reasonOf(error);
        const details = reason === null ? { err: error } : { reason };
        log.error(details, 'the new certificate cannot be used, the former one stays'); // CERTIFICATE-1
      }
    },
    stop: () => cancel(),
  };
}
