// npm run certificate -- FOLDER [NAME…]
//
// Makes a certificate for a trial: FOLDER/tls.crt and FOLDER/tls.key, for localhost, this machine's name, and each NAME.
// It signs itself, so each client must be given tls.crt. It never writes over a file.
import { writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { makeCertificate } from './certificate/self-signed.ts';

const DAYS = 30;
/** A DNS name or an IPv4 address. */
const HOST = /^[A-Za-z0-9]([A-Za-z0-9.-]{0,250}[A-Za-z0-9])?$/;

const [folder = '', ...names] = process.argv.slice(2);
if (folder === '' || folder.startsWith('-') || !names.every((name) => HOST.test(name))) {
  console.error(
    'usage: npm run certificate -- FOLDER [NAME…]\n\nNAME  a name or an IPv4 address of this machine',
  );
  process.exitCode = 2;
} else {
  const hosts = ['localhost', '127.0.0.1', hostname(), ...names].filter((name) => HOST.test(name));
  const { cert, key } = makeCertificate(names[0] ?? hostname(), [...new Set(hosts)], DAYS);
  try {
    writeFileSync(join(folder, 'tls.key'), key, { mode: 0o600, flag: 'wx' });
    writeFileSync(join(folder, 'tls.crt'), cert, { flag: 'wx' });
    console.error(`${folder}/tls.crt and tls.key are for ${DAYS} days and these names: ${hosts.join(', ')}`);
  } catch (error) {
    console.error(error instanceof Error ? error.message : error);
    process.exitCode = 1;
  }
}
