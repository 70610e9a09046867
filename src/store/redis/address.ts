/** Where Redis is: `redis://…`, `rediss://…`, or `redis+cluster://user:password@host:port,host:port`. */
export type Address =
  | { readonly kind: 'single'; readonly url: string; readonly label: string }
  | {
      readonly kind: 'cluster';
      readonly nodes: readonly { readonly host: string; readonly port: number }[];
      readonly username?: string;
      readonly password?: string;
      readonly tls: boolean;
      readonly label: string;
    };

const CLUSTER = /^(rediss?)\+cluster:\/\/(?:([^@]*)@)?([^/]+)\/?$/;
const DEFAULT_PORT = 6379;

export function parseAddress(url: string): Address {
  const match = CLUSTER.exec(url);
  if (match === null) {
    if (!/^rediss?:\/\//.test(url))
      throw new Error('a Redis URL starts with redis://, rediss:// or redis+cluster://');
    // The label goes into logs and health: never with the credentials.
    return { kind: 'single', url, label: new URL(url).host };
  }
  const [, scheme, credentials, hosts = ''] = match;
  const nodes = hosts.split(',').map((text) => {
    const { hostname, port } = new URL(`redis://${text}`);
    return { host: hostname, port: port === '' ? DEFAULT_PORT : Number(port) };
  });
  const [username = '', ...password] = (credentials ?? '').split(':');
  return {
    kind: 'cluster',
    nodes,
    tls: scheme === 'rediss',
    label: hosts,
    ...(username === '' ? {} : { username: decodeURIComponent(username) }),
    ...(password.length === 0 ? {} : { password: decodeURIComponent(password.join(':')) }),
  };
}
