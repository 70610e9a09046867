import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Command, Mailbox } from '../../../src/session/actor/event-loop.ts';

const command = (id: number): Command => ({ kind: 'timer', id: String(id) });
const idOf = (taken: Command | undefined): number | undefined =>
  taken?.kind === 'timer' ? Number(taken.id) : undefined;

describe('mailbox', () => {
  it('a mailbox returns its commands in the order in which they came, however posts and takes mix', () => {
    fc.assert(
      fc.property(
        fc.array(
          fc.oneof(
            { weight: 3, arbitrary: fc.nat(60) },
            fc.nat(60).map((n) => -n),
          ),
        ),
        (moves) => {
          const mailbox = new Mailbox();
          const model: number[] = [];
          let next = 0;
          for (const move of moves) {
            for (let count = 0; count < move; count += 1) {
              mailbox.post(command(next));
              model.push(next);
              next += 1;
            }
            for (let count = 0; count > move; count -= 1) expect(idOf(mailbox.take())).toBe(model.shift());
            expect(mailbox.length).toBe(model.length);
          }
          expect(mailbox.drain().map(idOf)).toEqual(model);
          expect(mailbox.length).toBe(0);
          expect(mailbox.take()).toBeUndefined();
        },
      ),
    );
  });

  it('a mailbox keeps the order of thousands of waiting commands, and of those that are posted meanwhile', () => {
    const mailbox = new Mailbox();
    for (let id = 0; id < 3_000; id += 1) mailbox.post(command(id));
    for (let id = 0; id < 6_000; id += 1) {
      expect(idOf(mailbox.take())).toBe(id);
      if (id < 3_000) mailbox.post(command(3_000 + id));
    }
    expect(mailbox.take()).toBeUndefined();
  });
});
