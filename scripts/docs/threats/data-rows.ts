import type { ThreatRow } from './row.ts';

/** What must hold for stored data, the audit log and the operation. */
export const dataRows: readonly ThreatRow[] = [
  {
    id: 'D1',
    demand:
      'Stored content is sealed with AES-256-GCM under a fresh nonce and a full tag, bound to its session and place.',
    enforcedBy: ['src/sealing/sealer.ts', 'src/store/sealed/record-cipher.ts'],
    shownBy: [
      ['test/property/sealing.test.ts', 'a sealed text opens in no other session and no other place'],
      [
        'test/property/sealing.test.ts',
        'a sealed text with a changed, lost or added character does not open',
      ],
      [
        'test/property/sealing.test.ts',
        'a sealed text whose tag was cut short does not open, whatever is left of it',
      ],
      [
        'test/integration/sealing.test.ts',
        'with keys, Redis and PostgreSQL hold no word of a conversation, live or archived, and another instance continues it',
      ],
    ],
  },
  {
    id: 'D2',
    demand:
      'Each session has a key of its own, derived from a data key. Data keys rotate under load and retire when unused.',
    enforcedBy: ['src/sealing/sealer.ts', 'src/keys/retire.ts'],
    shownBy: [
      [
        'test/integration/keys.test.ts',
        'after SIGHUP an instance seals with the new key, another one reads that without a signal, and the old key retires once it seals nothing',
      ],
      [
        'test/integration/keys.test.ts',
        'three rotations under load lose no turn, although sessions hop between an instance that has the signal and one that has not',
      ],
      [
        'test/unit/sealing/key-service.test.ts',
        'a ring of keys that a key service unwraps seals a store, rotates, and survives an absence of the service',
      ],
    ],
  },
  {
    id: 'D3',
    demand:
      'An erasure leaves no byte in the stores. A backup becomes unreadable when its daily keys are gone.',
    enforcedBy: ['src/http/sessions/erasure.ts', 'src/keys/retire.ts'],
    shownBy: [
      [
        'test/integration/erasure.test.ts',
        'an erasure leaves no byte of a live session, nor of its earlier lives in the archive',
      ],
      [
        'test/integration/erasure.test.ts',
        'an erasure leaves no byte of a user: neither of live sessions on any instance nor of ended ones',
      ],
      [
        'test/security/shredded-backup.test.ts',
        'with daily keys a conversation older than the retention is unreadable in every backup, and younger ones are not',
      ],
    ],
  },
  {
    id: 'D4',
    demand: 'No log line, metric or page holds a password, a token or a word of a conversation.',
    enforcedBy: ['src/telemetry/log.ts'],
    shownBy: [
      [
        'test/security/secrets.test.ts',
        'a running instance shows no password on a page, in a metric, in an answer or in its log, even after its store is gone',
      ],
      [
        'test/security/secrets.test.ts',
        'an error in the log shows neither the fields that a driver attached nor a password in its message',
      ],
      [
        'test/integration/audit.test.ts',
        'the audit log contains no text of a conversation, of a patient or of a search',
      ],
      [
        'test/conformance/store-redis-faults.test.ts',
        'the error of a Redis command contains none of the text that it should have written',
      ],
    ],
  },
  {
    id: 'D5',
    demand:
      'Each authentication, refusal, action, read of an operator and export leaves an audit line with caller, time and place.',
    enforcedBy: ['src/audit/audit-log.ts', 'src/http/core/audit.ts'],
    shownBy: [
      [
        'test/integration/audit-identity.test.ts',
        'the audit log names the proven user of each action on a socket, and its renewed token',
      ],
      [
        'test/integration/audit-identity.test.ts',
        'the audit log has a line for each refused credential, with the reason and without the credential',
      ],
      [
        'test/integration/audit-identity.test.ts',
        'the audit log has a line for each refused permission, with the caller that asked',
      ],
      [
        'test/integration/audit-identity.test.ts',
        'the audit log names the service, its credential and the user for whom it acts',
      ],
      [
        'test/integration/audit-identity.test.ts',
        'the audit log has a line for each read of an administrator: figures, lists, exports and erasures',
      ],
    ],
  },
  {
    id: 'D6',
    demand:
      'Audit lines form a chain of keyed hashes. A check names the first line that was edited, deleted, moved or cut off.',
    enforcedBy: ['src/audit/sealed-line.ts', 'src/audit/chain.ts'],
    shownBy: [
      ['test/integration/audit-chain.test.ts', 'it names the first line that was %s, and exits with 1'],
      [
        'test/integration/audit-chain.test.ts',
        'kill -9 during writing leaves a chain that verifies, over several restarts, with every answered request',
      ],
      ['test/property/audit-chain.test.ts', 'any changed byte of a log is found at its line'],
      [
        'test/unit/audit/verify.test.ts',
        'lines cut off at the end are found behind the last one that is left, by a head that the service reported',
      ],
    ],
  },
  {
    id: 'D7',
    demand: 'With `AUDIT_STRICT=1` nothing is done or shown that could not be recorded.',
    enforcedBy: ['src/http/core/audit.ts', 'src/transport/socket/connection.ts'],
    shownBy: [
      [
        'test/integration/audit-strict.test.ts',
        'with a full disk from the start nothing is served over HTTP or sockets, and probes still answer',
      ],
      [
        'test/integration/audit-strict.test.ts',
        'a disk that fills up refuses each action before it takes place, and serves again once there is room',
      ],
      [
        'test/unit/http/audit.test.ts',
        'strict mode sends nothing of what a route has read if its line could not be written',
      ],
    ],
  },
  {
    id: 'D8',
    demand:
      'Operators’ routes need a role, can have a port of their own, show an auditor no words, and are audited.',
    enforcedBy: ['src/identity/permissions.ts', 'src/transport/server.ts'],
    shownBy: [
      [
        'test/integration/admin-port.test.ts',
        'with AUTH the port for operators refuses %s without a credential of an operator',
      ],
      [
        'test/integration/admin-port.test.ts',
        'with ADMIN_PORT the main port answers %s as it answers a path without a route',
      ],
      [
        'test/security/identity/matrix.test.ts',
        'an auditor gets no snippet, may search for no word, and sees no beginning of a question',
      ],
      [
        'test/security/identity/operators-only.test.ts',
        '/healthz names store, model and instance only to operators: %s',
      ],
      [
        'test/e2e/dashboard.test.ts',
        'the dashboard loads everything from its own origin, and its content security policy allows no other',
      ],
    ],
  },
  {
    id: 'D9',
    demand:
      'Secrets come from files or the environment and appear nowhere. No default password; Redis grants only what is used.',
    enforcedBy: ['src/config/values.ts', 'docker-compose.yml'],
    shownBy: [
      [
        'test/security/secrets.test.ts',
        'an instance that cannot start shows no password of any variable, however it is written',
      ],
      [
        'test/unit/project/compose.test.ts',
        'Compose has no default password: every one comes from the operator or from the file of the trial',
      ],
      [
        'test/integration/redis-acl.test.ts',
        'a Redis user with the documented rights serves a conversation on two instances, its listing, its share, its end and its erasure',
      ],
      [
        'test/unit/identity/api-keys.test.ts',
        'the file of API keys holds no key, and its owner alone can read it',
      ],
    ],
  },
  {
    id: 'D10',
    demand: 'Addresses of servers are configured, redirects are refused, and text of the model stays text.',
    enforcedBy: ['src/generation/upstream/side-request.ts'],
    shownBy: [
      [
        'test/conformance/vllm-wire.ts',
        'a redirect with status %i is refused, and not followed',
        'test/conformance/vllm-client.test.ts',
      ],
      ['test/unit/generation/attempt.test.ts', 'a request for an answer never follows a redirect'],
      [
        'test/e2e/dashboard.test.ts',
        'the dashboard shows users’ text as text: markup in a question creates no element and runs no script',
      ],
      [
        'test/e2e/chat-page.test.ts',
        'words of users on the chat page stay words: markup in a question creates no element and runs no script',
      ],
    ],
  },
  {
    id: 'D11',
    demand:
      'Dependencies are pinned and listed, run no install script, and the native server has recorded hashes.',
    enforcedBy: ['scripts/uws.mjs', 'scripts/sbom.mjs', 'package-lock.json'],
    shownBy: [
      [
        'test/unit/project/supply-chain.test.ts',
        'no package runs a script at its installation, and each one that has such a script is named in package.json',
      ],
      [
        'test/unit/project/supply-chain.test.ts',
        'every file of the installed uWebSockets.js has the hash that was recorded',
      ],
      [
        'test/unit/project/supply-chain.test.ts',
        'the bill of materials lists every package of the lock file once, with licence, address and checksum',
      ],
      ['test/unit/project/install.test.ts', 'the lock file pins the versions of package.json'],
    ],
  },
];
