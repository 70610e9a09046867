import { table } from '../markdown.ts';
import { connectionRows } from './connection-rows.ts';
import { dataRows } from './data-rows.ts';
import { asvsMap, hipaaMap } from './maps.ts';
import { reliabilityRows } from './reliability-rows.ts';
import type { ThreatRow } from './row.ts';
import { strangerRows } from './stranger-rows.ts';

const link = (path: string, words = path) => `[${words}](../${path})`;

function rowTable(rows: readonly ThreatRow[]): string {
  return table(
    ['', 'what must hold', 'enforced by', 'shown by'],
    rows.map(({ id, demand, enforcedBy, shownBy }) => [
      id,
      demand,
      enforcedBy.map((path) => link(path)).join('<br>'),
      shownBy.map(([path, title]) => link(path, title)).join('<br>'),
    ]),
  );
}

export function threatsDocument(): string {
  return `# Threats

What an attacker could try, what stops it, and the test that shows it. This page is generated from
[scripts/docs/threats](../scripts/docs/threats/table.ts) (\`npm run docs\`); \`npm run check\` fails when a file or a test
that it names is gone. \`npm run test:security\` attacks running instances, runs these tests and prints each row; it fails
if a row has no test that passed, or if a test was skipped.

## Boundaries

\`\`\`
 client ──1── proxy ──2── instance ──3── Redis or a file (living sessions)
                            │ │ └───4── SQLite or PostgreSQL (archive)
                            │ └──5── model server
              operator ──6──┘ └──7── log, audit log
\`\`\`

1. **Client**: believed in nothing but what its credential proves. Frames, bodies, headers, origins and ids are hostile.
2. **Proxy**: believed about addresses and identities only from the addresses in \`TRUST_PROXY\`. It must remove these
   headers from what clients send.
3. **Store**: holds sealed content if keys are set. It is believed about order, versions and leases; an attacker who writes
   to it can delete and replay sealed records.
4. **Archive**: like the store. Searches use keyed hashes of words, users and ids, so equal words have equal hashes.
5. **Model server**: reads the conversation in the clear. Its address is configured, and its text stays text.
6. **Operator**: owns the settings, the keys and the host. Over the network an operator is a caller with a role.
7. **Log and audit log**: hold no word of a conversation. The audit log names users and sessions.

Instances believe each other through Redis: a program that can publish there can speak for an instance.

## Reliability

${rowTable(reliabilityRows)}

## Connections

${rowTable(connectionRows)}

## Data, audit and operation

${rowTable(dataRows)}

## What a stranger could do before

These attacks succeeded before callers had to prove who they are. At least one test of each row failed then.

${rowTable(strangerRows)}

## HIPAA § 164.312

Software alone is not compliant; these rows support the technical safeguards. R is required, A addressable.

${table(['section', 'safeguard', 'how', 'rows'], hipaaMap)}

## ASVS 5.0

${table(['row', 'sections'], asvsMap)}

## Not promised

- **\`AUTH=off\` protects nothing.** It believes every claimed name, and starts only on a loopback address. Every user of
  that machine can read every session.
- **The memory of a process is open.** An instance holds conversations, tokens and data keys in the clear while it uses
  them. A core dump, a debugger or root on the host reads them.
- **Limits count per instance.** Rates by address and by user, and running answers, are counted by each instance alone: n
  instances allow up to n times as much. The sessions of a user and the tokens of a day are counted in the store.
- **Clients behind one address share its limits.** After 30 failed credentials in a minute, valid ones of the same address
  wait too until the minute is over.
- **A flood can still fill the line.** Rehydra bounds memory, not the bandwidth in front of it.
- **A withdrawn credential counts for some seconds.** Instances look at files and open sockets every few seconds. A token
  that its issuer revokes counts until its own end, unless its subject is disabled.
- **No one-use tickets.** A browser sends its token in \`hello\` or as a sub-protocol; a proxy may log sub-protocols.
- **The end of an audit log can be cut off unseen**: all lines after the last head that is kept elsewhere, up to an hour of a
  run that did not stop. A check says after which line. Send the log of the service, which has the heads, to another
  machine. A person who has \`AUDIT_KEY\` can write a chain that verifies.
- **Without \`AUDIT_STRICT=1\` the service goes on** when the audit log cannot be written, and lines beyond a bound are lost.
- **Redis loses writes that it acknowledged** in a failover or a crash between two syncs. Rehydra detects it, no more
  ([GUARANTEES](GUARANTEES.md#not-promised)).
- **An erasure does not reach backups.** Only the end of the data keys makes them unreadable, so rotate daily if that matters.
- **Sealing hides content, not traffic.** Sizes, times, session ids, states and user names in the index stay readable.
- **A new certificate serves new connections.** Open sockets keep the old one until they end.
- **A name in a certificate or a token is the issuer's word.** Rehydra asks for no second factor; the issuer must.
- **A model may say anything.** Text of the model is sent as text; a client that renders it as HTML undoes that.
`;
}
