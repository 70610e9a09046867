// The tree is the architecture: a file imports from its own room or from the rooms below it in this list, and files form
// no circle. Imports of types count. `npm run check` runs it.

/** From top to bottom. */
export const rooms = [
  'src/main.ts',
  'src/run.ts',
  'src/service.ts',
  'src/transport',
  'src/http',
  'src/delivery',
  'src/client',
  'src/migration',
  'src/keys',
  'src/replay',
  'src/session/router',
  'src/session/cluster',
  'src/session/actor',
  'src/session/turn',
  'src/session/history',
  'src/session/machine',
  'src/protocol',
  'src/analytics',
  'src/conversation',
  'src/generation',
  'src/archive',
  'src/store',
  'src/simulator',
  'src/audit',
  'src/identity',
  'src/limits',
  'src/supervisor',
  'src/telemetry',
  'src/config',
  'src/sealing',
  'src/startup',
  'src/errors.ts',
  'machines',
  'src/clock.ts',
];

const within = rooms.map((room) => `^${room.replaceAll('.', '\\.')}(/|$)`);

/** @type {import('dependency-cruiser').IConfiguration} */
export default {
  forbidden: [
    ...rooms.slice(1).map((room, index) => ({
      name: `${room} imports from above`,
      severity: 'error',
      from: { path: within[index + 1] },
      to: { path: within.slice(0, index + 1) },
    })),
    { name: 'files form a circle', severity: 'error', from: {}, to: { circular: true } },
    { name: 'a room is not in the list', severity: 'error', from: { pathNot: within }, to: {} },
    {
      name: 'the service imports a file that is not part of it',
      severity: 'error',
      from: { path: within },
      to: { path: '^(bench|examples|scripts|src|test)/', pathNot: within },
    },
    {
      name: 'machines import more than xstate and zod',
      severity: 'error',
      from: { path: '^machines/' },
      to: { pathNot: ['^machines/', '(^|/)node_modules/(xstate|zod)/'] },
    },
  ],
  options: {
    // dependency-cruiser cannot parse with TypeScript 7, whose compiler is no JavaScript.
    parser: 'swc',
    tsPreCompilationDeps: true,
    doNotFollow: { path: 'node_modules' },
  },
};
