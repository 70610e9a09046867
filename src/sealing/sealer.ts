/**
 * Sealer encrypts texts for one place each (AES-256-GCM), into one line that cannot be taken for JSON.
 *
 *     ~form~key id~base64(nonce ‖ tag ‖ ciphertext)      form 1: one text, form 2: two
 *
 *  SEAL-1  Every scope (a session, a life of one) has its own key. Nonces are random, and one key may use 2^32 of them at
 *          most: a busy service would use them up within days, and no session ever does.
 *  SEAL-2  A text opens only in the scope and the place that it was sealed for: the scope selects the key, and place and
 *          form are authenticated with the text.
 *  SEAL-3  A text that does not open yields a reason and no plain text.
 *  SEAL-4  A sealed text has one spelling: any changed character is noticed, even one that base64 would forgive.
 */
import {
  createCipheriv,
  createDecipheriv,
  createHmac,
  createSecretKey,
  type KeyObject,
  randomFillSync,
} from 'node:crypto';
import { LRUCache } from 'lru-cache';
import { followKeys, type KeyRing } from './key-ring.ts';
import { type DataKey, keyFor } from './keys.ts';

/**
 * `not-sealed`: plain text in place of sealed text. `damaged`: changed, moved from another place, or sealed with another
 * key of that id.
 */
export type Unopened = 'key-unknown' | 'damaged' | 'not-sealed';

/** A text as a store or the archive holds it, sealed or plain. */
export interface StoredText {
  readonly scope: string;
  readonly place: string;
  readonly stored: string;
}

export type OpenResult =
  | { readonly kind: 'opened'; readonly text: string; readonly second: string | null }
  | { readonly kind: 'unopened'; readonly why: Unopened };

export interface Sealer {
  seal(scope: string, place: string, text: string, second?: string): string;
  /** The same text gives the same line, so that a database can group by it. A reader of the lines sees that too. */
  sealAlike(scope: string, place: string, text: string): string;
  open(scope: string, place: string, stored: string): OpenResult;
}

const CIPHER = 'aes-256-gcm';
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const HEAD_BYTES = NONCE_BYTES + TAG_BYTES;
const LENGTH_BYTES = 4;
const TILDE = 126;
const HEADER = /^~([12])~([\w-]{1,16})~/;
const SCOPE_KEYS_MAX = 16_384;
/** A longer text gets its own buffer. */
const SCRATCH_BYTES = 64 * 1_024;
/** Twelve random bytes cost as much as thousands, so nonces are drawn in advance. */
const NONCES_DRAWN = 512;

/** No JSON begins like this, and no text of a user by accident. */
export function isSealed(stored: string): boolean {
  return stored.charCodeAt(0) === TILDE && HEADER.test(stored);
}

/** Null if the text is plain. */
export function keyIdIn(stored: string): string | null {
  return isSealed(stored) ? (HEADER.exec(stored)?.[2] ?? null) : null;
}

/** Derives and remembers the keys of scopes (SEAL-1) from one data key. */
interface ScopeKeys {
  readonly from: DataKey;
  readonly keys: LRUCache<string, KeyObject>;
}

function scopeKeysOf(from: DataKey, purpose: string): ScopeKeys {
  const root = keyFor(from, purpose);
  const memoMethod = (scope: string) => createSecretKey(createHmac('sha256', root).update(scope).digest());
  return { from, keys: new LRUCache({ max: SCOPE_KEYS_MAX, memoMethod }) };
}

/** The first key of the ring seals, all of them open. */
export function createSealer(ring: KeyRing, purpose: string): Sealer {
  const scopeKeys = followKeys<readonly ScopeKeys[]>(ring, (keys, former) =>
    keys.map((key) => {
      const known = former?.find(({ from }) => from.id === key.id && from.secret.equals(key.secret));
      return known ?? scopeKeysOf(key, purpose);
    }),
  );
  const readerFor = (id: string) => scopeKeys().find(({ from }) => from.id === id);
  const scratch = Buffer.allocUnsafeSlow(SCRATCH_BYTES);
  const nonces = Buffer.allocUnsafeSlow(NONCE_BYTES * NONCES_DRAWN);
  let noncesUsed = nonces.length;

  /** The bytes are overwritten after NONCES_DRAWN further calls. */
  function freshNonce(): Buffer {
    if (noncesUsed === nonces.length) {
      randomFillSync(nonces);
      noncesUsed = 0;
    }
    noncesUsed += NONCE_BYTES;
    return nonces.subarray(noncesUsed - NONCE_BYTES, noncesUsed);
  }

  function writeWith(scope: string): { readonly id: string; readonly key: KeyObject } {
    const [writer] = scopeKeys();
    if (writer === undefined) throw new Error('no key to seal with');
    return { id: writer.from.id, key: writer.keys.memo(scope) };
  }

  function sealed(id: string, key: KeyObject, nonce: Buffer, place: string, texts: readonly string[]) {
    const [text = '', second] = texts;
    const form = second === undefined ? '1' : '2';
    const cipher = createCipheriv(CIPHER, key, nonce);
    cipher.setAAD(Buffer.from(form + place));
    const parts: Buffer[] = [];
    if (second === undefined) parts.push(cipher.update(text, 'utf8'));
    else {
      const length = Buffer.allocUnsafe(LENGTH_BYTES);
      length.writeUInt32BE(Buffer.byteLength(text));
      parts.push(cipher.update(length), cipher.update(text, 'utf8'), cipher.update(second, 'utf8'));
    }
    cipher.final();
    const total = parts.reduce((sum, part) => sum + part.length, HEAD_BYTES);
    const whole = total <= SCRATCH_BYTES ? scratch : Buffer.allocUnsafeSlow(total);
    whole.set(nonce);
    whole.set(cipher.getAuthTag(), NONCE_BYTES);
    let at = HEAD_BYTES;
    for (const part of parts) {
      whole.set(part, at);
      at += part.length;
    }
    return `~${form}~${id}~${whole.toString('base64', 0, total)}`;
  }

  return {
    seal(scope, place, text, second) {
      const { id, key } = writeWith(scope);
      return sealed(id, key, freshNonce(), place, second === undefined ? [text] : [text, second]);
    },
    sealAlike(scope, place, text) {
      const { id, key } = writeWith(scope);
      const nonce = createHmac('sha256', key).update(`nonce/${place}/${text}`).digest();
      return sealed(id, key, nonce.subarray(0, NONCE_BYTES), place, [text]);
    },
    open(scope, place, stored) {
      if (!isSealed(stored)) return { kind: 'unopened', why: 'not-sealed' };
      const [header = '', form = '', id = ''] = HEADER.exec(stored) ?? [];
      if (header === '') return { kind: 'unopened', why: 'damaged' };
      const reader = readerFor(id) ?? (ring.finds(id) ? readerFor(id) : undefined);
      if (reader === undefined) return { kind: 'unopened', why: 'key-unknown' };
      const line = stored.slice(header.length);
      const bytes = Buffer.from(line, 'base64');
      if (bytes.length < HEAD_BYTES || bytes.toString('base64') !== line)
        return { kind: 'unopened', why: 'damaged' };
      const plain = decrypted(reader.keys.memo(scope), form + place, bytes);
      if (plain === null) return { kind: 'unopened', why: 'damaged' };
      if (form === '1') return { kind: 'opened', text: plain.toString('utf8'), second: null };
      const end = LENGTH_BYTES + plain.readUInt32BE();
      return {
        kind: 'opened',
        text: plain.toString('utf8', LENGTH_BYTES, end),
        second: plain.toString('utf8', end),
      };
    },
  };
}

function decrypted(key: KeyObject, authenticated: string, bytes: Buffer): Buffer | null {
  const decipher = createDecipheriv(CIPHER, key, bytes.subarray(0, NONCE_BYTES), {
    authTagLength: TAG_BYTES,
  });
  decipher.setAAD(Buffer.from(authenticated));
  decipher.setAuthTag(bytes.subarray(NONCE_BYTES, HEAD_BYTES));
  const plain = decipher.update(bytes.subarray(HEAD_BYTES));
  try {
    decipher.final();
    return plain;
  } catch {
    return null;
  }
}
