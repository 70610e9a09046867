/** Turns an address that a user of the client gives into that of the session socket. */
import { SESSION_PATH } from '../close-action.ts';

/** A page may give a path: its own address completes it. */
function pageAddress(): string | undefined {
  return (globalThis as { readonly location?: { readonly href: string } }).location?.href;
}

/** `http` becomes `ws`, and an address without a path gets the path of sessions. Throws if it is no address. */
export function socketAddress(address: string): string {
  const url = new URL(address, pageAddress());
  url.protocol = url.protocol.replace(/^http/, 'ws');
  if (!/^wss?:$/.test(url.protocol)) throw new TypeError(`${address} is no address of a Rehydra server`);
  if (url.pathname === '/') url.pathname = SESSION_PATH;
  return url.href;
}
