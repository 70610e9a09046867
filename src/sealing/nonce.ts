/** Random nonces, drawn many at a time: asking the system for twelve bytes costs as much as for thousands. */
import { randomFillSync } from 'node:crypto';

export const NONCE_BYTES = 12;
const DRAWN_TOGETHER = 512;

const drawn = Buffer.allocUnsafeSlow(NONCE_BYTES * DRAWN_TOGETHER);
let used = drawn.length;

/** Valid until many more were drawn: to be used at once. */
export function freshNonce(): Buffer {
  if (used === drawn.length) {
    randomFillSync(drawn);
    used = 0;
  }
  used += NONCE_BYTES;
  return drawn.subarray(used - NONCE_BYTES, used);
}
