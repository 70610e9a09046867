/** Which rows of THREATS.md serve which demand of HIPAA and of ASVS 5. */

/** 45 CFR 164.312; R is required, A addressable. */
export const hipaaMap: readonly (readonly [section: string, demand: string, met: string, rows: string])[] = [
  [
    '(a)(1) R',
    'access control',
    'proven callers, one table of roles, one of access to a session',
    'S5 S9 D8',
  ],
  ['(a)(2)(i) R', 'unique user identification', 'a subject in each credential and each audit line', 'S5 D5'],
  [
    '(a)(2)(ii) R',
    'emergency access',
    'the role `admin` reads what its tenant holds, and each read is audited; the operator keeps such a key sealed',
    'D5 D8',
  ],
  [
    '(a)(2)(iii) A',
    'automatic logoff',
    'sockets end with the credential, sessions at their deadlines',
    'S6 S7 S8',
  ],
  ['(a)(2)(iv) A', 'encryption at rest', 'with data keys all content is sealed', 'D1 D2 D3'],
  ['(b) R', 'audit controls', 'a line for each access; in strict mode no access without a line', 'D5 D7'],
  ['(c)(1) R', 'integrity', 'one writer, idempotent commits, tags on sealed content', 'R1 R2 R3 D1'],
  [
    '(c)(2) A',
    'mechanism to authenticate data',
    'the chain of the audit log, tags on sealed content',
    'D1 D6',
  ],
  [
    '(d) R',
    'person or entity authentication',
    'tokens of an issuer, API keys, headers of a trusted proxy',
    'S5 S6 S13',
  ],
  ['(e)(2)(i) A', 'integrity in transit', 'TLS; a complete log that shows every gap', 'S1 R10'],
  [
    '(e)(2)(ii) A',
    'encryption in transit',
    'TLS to clients, rediss to Redis, https to model servers',
    'S1 S3',
  ],
];

/** The sections of ASVS 5.0 that each row serves. */
export const asvsMap: readonly (readonly [rows: string, sections: string])[] = [
  ['R15', '13.1.3'],
  ['R17', '16.5.2'],
  ['R23', '15.2.2'],
  ['R24', '16.5.4'],
  ['S1', '4.4.1, 12.2.1'],
  ['S2', '4.4.2'],
  ['S3', '14.2.1, 4.4.3, 4.4.4, 7.2.3'],
  ['S5', '9.1.1 – 9.2.3'],
  ['S7', '7.4.1, 7.4.2, 7.4.5'],
  ['S8', '7.3.1, 7.3.2'],
  ['S9', '8.2.2, 8.4.1'],
  ['S10', '2.2.1, 15.3.3, 15.3.6'],
  ['S12', '2.4.1'],
  ['S13', '4.1.3, 15.3.4'],
  ['S14', '16.5.1'],
  ['D1', '11.3.2 – 11.3.4'],
  ['D2', '11.1.1, 13.3.4'],
  ['D3', '14.2.7'],
  ['D4', '16.2.5'],
  ['D5', '16.2.1, 16.3.1 – 16.3.3'],
  ['D6', '16.4.2, 16.4.3'],
  ['D7', '16.5.3'],
  ['D8', '13.4.5, 8.4.2'],
  ['D9', '13.2.2, 13.2.3, 13.3.1'],
  ['D10', '15.3.2, 13.2.4, 13.2.5'],
  ['D11', '15.1.2, 15.2.4'],
];
