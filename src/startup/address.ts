/** Address names a server as a URL writes it, so that a client on this machine reaches it. */
import { isIPv4, isIPv6 } from 'node:net';

/** IPv6 goes into brackets; a server that listens on all addresses is reached over loopback. */
export function authority(host: string, port: number): string {
  const bare = host.replace(/^\[(.*)\]$/, '$1');
  const name = isIPv6(bare) ? `[${bare}]` : bare;
  return `${loopbackOf(name)}:${port}`;
}

/** Whether only programs on this machine reach the host. A name other than `localhost` may resolve to any address. */
export function isLoopback(host: string): boolean {
  const bare = host.replace(/^\[(.*)\]$/, '$1');
  const url = `http://${isIPv6(bare) ? `[${bare}]` : bare}`;
  const name = URL.canParse(url) ? new URL(url).hostname : bare;
  return name === 'localhost' || name === '[::1]' || (isIPv4(name) && name.startsWith('127.'));
}

/** `0`, `0.0.0.0`, `::` and `0:0::0` all mean every address; URL knows their spellings. */
function loopbackOf(name: string): string {
  const parsed = URL.canParse(`http://${name}`) ? new URL(`http://${name}`).hostname : name;
  if (parsed === '0.0.0.0') return '127.0.0.1';
  return parsed === '[::]' ? '[::1]' : name;
}

/** Quotes a word of a command to copy: zsh takes brackets for a pattern of file names, and refuses the command. */
export function shellWord(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}
