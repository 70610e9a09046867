/** Reads the certificate and key of `TLS_CERT` and `TLS_KEY`, and names in one line what is wrong with them. */
import { createHash, createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto';
import { readFileSync, statSync } from 'node:fs';
import { codeOf } from '../errors.ts';
import { startFailure } from '../startup/start-failure.ts';

export interface CertificateFiles {
  readonly certPath: string;
  readonly keyPath: string;
}

export interface Certificate extends CertificateFiles {
  /** Equal for equal contents of both files. Reveals nothing of the key. */
  readonly fingerprint: string;
  /** Ms since the epoch. */
  readonly endsAt: number;
  /** Every user of this machine may read the key. */
  readonly isKeyExposed: boolean;
}

const OTHERS_READ = 0o004;

/** Throws the reason. It holds neither content nor paths: an operator may have set the key itself in place of its path. */
export function readCertificate({ certPath, keyPath }: CertificateFiles): Certificate {
  const certificates = readSetting('TLS_CERT', certPath);
  const keys = readSetting('TLS_KEY', keyPath);
  const certificate = certificateIn(certificates);
  if (!certificate.checkPrivateKey(keyIn(keys)))
    throw startFailure('TLS_KEY is not the key of the first certificate in the file of TLS_CERT');
  return {
    certPath,
    keyPath,
    fingerprint: createHash('sha256').update(certificates).update('\0').update(keys).digest('hex'),
    endsAt: Date.parse(certificate.validTo),
    isKeyExposed: process.platform !== 'win32' && (statSync(keyPath).mode & OTHERS_READ) !== 0,
  };
}

function readSetting(name: string, path: string): Buffer {
  try {
    return readFileSync(path);
  } catch (cause) {
    throw startFailure(`the file of ${name} cannot be read: ${codeOf(cause)}`, cause);
  }
}

function certificateIn(bytes: Buffer): X509Certificate {
  // uWebSockets.js reads PEM only; Node would also take DER.
  if (bytes.includes('-----BEGIN CERTIFICATE-----'))
    try {
      return new X509Certificate(bytes);
    } catch {
      // Node's message may quote the file.
    }
  throw startFailure('the file of TLS_CERT holds no certificate in PEM form');
}

function keyIn(bytes: Buffer): KeyObject {
  try {
    return createPrivateKey(bytes);
  } catch (cause) {
    throw startFailure(
      codeOf(cause) === 'ERR_MISSING_PASSPHRASE'
        ? 'the key in the file of TLS_KEY is encrypted; it must have no passphrase'
        : 'the file of TLS_KEY holds no private key in PEM form',
    );
  }
}
