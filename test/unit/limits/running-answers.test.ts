import { expect, it } from 'vitest';
import { RunningAnswers } from '../../../src/limits/running-answers.ts';

const ADA = { userId: 'ada', tenant: '' };
const EVE = { userId: 'eve', tenant: '' };
const ADA_OF_ACME = { userId: 'ada', tenant: 'acme' };
const UNNAMED = { userId: null, tenant: '' };

it('a user has at most as many running answers as allowed, and a seat that is left makes room for another', () => {
  const answers = new RunningAnswers({ perUser: 2, perTenant: 0 });
  const seats = Array.from({ length: 3 }, () => answers.seat());
  expect(seats.map((seat) => seat.take(ADA))).toEqual([true, true, false]);
  expect(answers.seat().take(EVE)).toBe(true);
  expect(answers.seat().take(ADA_OF_ACME)).toBe(true);
  seats[0]?.leave();
  seats[0]?.leave();
  expect(seats[2]?.take(ADA)).toBe(true);
  expect(answers.seat().take(ADA)).toBe(false);
});

it('the answers of a tenant count together, those of sessions without a user included', () => {
  const answers = new RunningAnswers({ perUser: 0, perTenant: 3 });
  for (const payer of [ADA, EVE, UNNAMED]) expect(answers.seat().take(payer)).toBe(true);
  for (const payer of [ADA, UNNAMED]) expect(answers.seat().take(payer)).toBe(false);
  expect(answers.seat().take(ADA_OF_ACME)).toBe(true);
});

it('sessions without a user have no limit by user', () => {
  const answers = new RunningAnswers({ perUser: 1, perTenant: 0 });
  expect(Array.from({ length: 5 }, () => answers.seat().take(UNNAMED))).toEqual(Array(5).fill(true));
});

it('a session that has its seat takes further messages, and its next answer may be another author’s', () => {
  const answers = new RunningAnswers({ perUser: 1, perTenant: 0 });
  const [shared, own] = [answers.seat(), answers.seat()];
  expect(shared.take(ADA)).toBe(true);
  expect(shared.take(EVE)).toBe(true);
  expect(own.take(EVE)).toBe(true);
  // An answer from the queue runs even if its author has one already.
  shared.assign(EVE);
  expect(answers.seat().take(ADA)).toBe(true);
  shared.leave();
  expect(answers.seat().take(EVE)).toBe(false);
  own.leave();
  expect(answers.seat().take(EVE)).toBe(true);
});

it('nothing is left of a user without a running answer', () => {
  const answers = new RunningAnswers({ perUser: 1, perTenant: 1 });
  const seats = Array.from({ length: 100 }, (_, n) => {
    const seat = answers.seat();
    seat.assign({ userId: `user ${n}`, tenant: `tenant ${n}` });
    return seat;
  });
  expect(answers.size).toBe(200);
  for (const seat of seats) seat.leave();
  expect(answers.size).toBe(0);
});
