import { expect, test } from 'vitest';
import type { WorkerRole } from '../../../src/config/supervision.ts';
import type { FromWorker, Listening, ToWorker } from '../../../src/supervisor/messages.ts';
import { WorkerGroup } from '../../../src/supervisor/worker-group.ts';
import type { WorkerEvents } from '../../../src/supervisor/worker-process.ts';
import { VirtualClock } from '../../support/actor/virtual-clock.ts';

const PORT = 4_711;
const QUIET = { debug() {}, info() {}, warn() {}, error() {} };

interface Started {
  readonly role: WorkerRole;
  readonly port: number | null;
  readonly events: WorkerEvents;
  readonly sent: ToWorker[];
  readonly signals: string[];
}

function groupOf(workers: number) {
  const clock = new VirtualClock(0);
  const started: Started[] = [];
  const complete: Listening[] = [];
  const ended: number[] = [];
  const group = new WorkerGroup({
    workers,
    fork(role, ports, events) {
      const port = ports?.port ?? null;
      const one: Started = { role, port, events, sent: [], signals: [] };
      started.push(one);
      return {
        pid: 100 + role.number,
        send: (message) => void one.sent.push(message),
        kill: (signal) => void one.signals.push(signal),
      };
    },
    clock,
    log: QUIET,
    complete: (listening) => void complete.push(listening),
    reopens() {},
    ended: (code) => void ended.push(code),
  });
  group.start();
  const say = (index: number, message: FromWorker): void => started[index]!.events.message(message);
  return {
    group,
    clock,
    started,
    complete,
    ended,
    say,
    listens(index: number) {
      const listening = {
        port: PORT,
        store: 'redis',
        upstream: 'u',
        page: 'http://h/',
        url: 'ws://h',
        chat: 'c',
      };
      say(index, { type: 'listening', listening, endsWithinMs: 18_000, reopens: false });
    },
    exits(index: number, code: number) {
      started[index]!.events.exited({ code, signal: null });
    },
  };
}

/** A complete group. */
function served(workers: number) {
  const rig = groupOf(workers);
  for (let index = 0; index < workers; index += 1) rig.listens(index);
  return rig;
}

test('the other workers start once the first one listens, and get its port', () => {
  const { started, complete, listens } = groupOf(3);
  expect(started.map(({ role, port }) => [role.joins, port])).toEqual([[false, null]]);
  listens(0);
  expect(started.map(({ role, port }) => [role.joins, port])).toEqual([
    [false, null],
    [true, PORT],
    [true, PORT],
  ]);
  listens(1);
  expect(complete).toEqual([]);
  listens(2);
  expect(complete).toMatchObject([{ port: PORT }]);
});

test('a worker that dies is replaced by one with another name, on the same port', () => {
  const { started, clock, exits, complete, listens, ended } = served(2);
  exits(0, 137);
  clock.advance(1_000);
  expect(started.at(-1)).toMatchObject({ role: { number: 3, joins: true }, port: PORT });
  listens(2);
  expect(complete).toHaveLength(1);
  expect(ended).toEqual([]);
});

test('if all workers die, one takes the port before the others join it', () => {
  const { started, clock, exits, listens } = served(3);
  for (const index of [0, 1, 2]) exits(index, 137);
  clock.advance(60_000);
  expect(started.slice(3).map(({ role }) => role.joins)).toEqual([false]);
  listens(3);
  expect(started.slice(3).map(({ role }) => role.joins)).toEqual([false, true, true]);
});

test('a worker that dies after every start is started ever more rarely, and at least every half a minute', () => {
  const { started, clock, exits, listens } = served(2);
  const startsAtMs: number[] = [];
  for (let round = 0; round < 14; round += 1) {
    exits(started.length - 1, 1);
    const count = started.length;
    while (started.length === count) clock.advance(50);
    startsAtMs.push(clock.monotonicMs());
    listens(started.length - 1);
  }
  const gapsMs = startsAtMs.slice(1).map((atMs, index) => atMs - startsAtMs[index]!);
  expect(gapsMs).toEqual(gapsMs.toSorted((a, b) => a - b));
  expect(gapsMs.at(-1)).toBe(30_000);
});

test('a worker that cannot start ends the group with its exit code', () => {
  const { ended, exits, started } = groupOf(3);
  exits(0, 1);
  expect(ended).toEqual([1]);
  expect(started).toHaveLength(1);
});

test('before the group is complete, a worker that cannot start ends the workers that could', () => {
  const { ended, exits, listens, started } = groupOf(2);
  listens(0);
  exits(1, 1);
  expect(started[0]?.sent).toEqual([{ type: 'drain' }]);
  expect(ended).toEqual([]);
  exits(0, 0);
  expect(ended).toEqual([1]);
});

test('a replacement that cannot start is tried again while another worker serves, and ends the group otherwise', () => {
  const { ended, exits, clock, started } = served(2);
  exits(1, 137);
  clock.advance(1_000);
  exits(2, 1);
  clock.advance(1_000);
  expect(started).toHaveLength(4);
  expect(ended).toEqual([]);
  exits(0, 137);
  exits(3, 1);
  expect(ended).toEqual([1]);
});

test('a drain reaches every worker, starts none, and ends the group with its last worker', () => {
  const { group, started, exits, ended, clock } = served(2);
  exits(1, 137);
  clock.advance(1_000);
  group.drain();
  expect(started[0]?.sent).toEqual([{ type: 'drain' }]);
  // The replacement still loads its program.
  expect(started[2]?.signals).toEqual(['SIGTERM']);
  exits(2, 0);
  expect(ended).toEqual([]);
  exits(0, 0);
  clock.advance(60_000);
  expect(ended).toEqual([0]);
  expect(started).toHaveLength(3);
});

test('a worker whose drain fails makes the group exit with an error', () => {
  const { group, exits, ended } = served(2);
  group.drain();
  exits(0, 1);
  exits(1, 0);
  expect(ended).toEqual([1]);
});

test('a drain during the start of a worker ends the group without an error, whatever the signal did to it', () => {
  const { group, exits, ended } = groupOf(2);
  group.drain();
  exits(0, 143);
  expect(ended).toEqual([0]);
});

test('a worker that does not end after a drain is killed', () => {
  const { group, started, clock } = served(2);
  group.drain();
  clock.advance(22_000);
  expect(started[0]?.signals).toEqual([]);
  clock.advance(2_000);
  expect(started[0]?.signals).toEqual(['SIGKILL']);
});

test('a second request to end kills every worker, also in the middle of a drain', () => {
  const { group, started, exits, ended } = served(2);
  group.drain();
  group.kill();
  expect(started.map(({ signals }) => signals)).toEqual([['SIGKILL'], ['SIGKILL']]);
  for (const index of [0, 1]) exits(index, 137);
  expect(ended[0]).not.toBe(0);
});

test('a worker that answers pings lives on, and one that hangs is killed', () => {
  const { started, clock, say } = served(2);
  for (let round = 0; round < 10; round += 1) {
    clock.advance(10_000);
    say(0, { type: 'pong' });
  }
  expect(started[0]?.signals).toEqual([]);
  expect(started[1]?.signals).toContain('SIGKILL');
});

test('a scrape gets the metrics of all workers', () => {
  const { started, say } = served(2);
  say(0, { type: 'scrape', id: 7 });
  for (const index of [0, 1]) {
    expect(started[index]?.sent).toContainEqual({ type: 'collect', id: 1 });
    say(index, { type: 'collected', id: 1, text: `of ${index}` });
  }
  const scraped = { type: 'scraped', id: 7, texts: ['of 0', 'of 1'], workers: 2, restarts: 0 };
  expect(started[0]?.sent).toContainEqual(scraped);
});

test.each<[string, (rig: ReturnType<typeof served>) => void]>([
  ['is silent', ({ clock }) => clock.advance(2_000)],
  ['dies', ({ exits }) => exits(1, 137)],
])('a scrape is answered without a worker that %s', (_, happens) => {
  const rig = served(2);
  rig.say(0, { type: 'scrape', id: 7 });
  rig.say(0, { type: 'collected', id: 1, text: 'of 0' });
  happens(rig);
  expect(rig.started[0]?.sent).toContainEqual(
    expect.objectContaining({ type: 'scraped', id: 7, texts: ['of 0'], workers: 2 }),
  );
});
