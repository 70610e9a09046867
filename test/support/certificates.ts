/** Certificates of test servers on this machine, as files. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type MadeCertificate, makeCertificate as make } from '../../scripts/certificate/self-signed.ts';

export interface CertificateFiles {
  readonly cert: string;
  readonly key: string;
}

/** For `localhost` and 127.0.0.1. */
export function makeCertificate(name: string, days = 90): MadeCertificate {
  return make(name, ['localhost', '127.0.0.1'], days);
}

/** Writes both files, or writes over them. */
export function writeCertificate(folder: string, { cert, key }: MadeCertificate): CertificateFiles {
  const files = { cert: join(folder, 'tls.crt'), key: join(folder, 'tls.key') };
  writeFileSync(files.cert, cert);
  writeFileSync(files.key, key, { mode: 0o600 });
  return files;
}
