import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { deltaFrame } from '../../../src/session/actor/frames.ts';
import { TurnText } from '../../../src/session/turn/turn-text.ts';
import { storedFrame } from '../../../src/store/log.ts';

function stored(text: TurnText): string {
  return text.prefix()?.text ?? '';
}

describe('text of a running turn', () => {
  it('the text of a turn does not count as stored before the store confirms it', () => {
    const text = new TurnText('t');
    text.add({ text: 'Good ' });
    const piece = text.pending();
    expect(text.prefix()).toBeNull();
    expect(text.pendingLength).toBe(5);
    text.confirm(piece);
    expect(stored(text)).toBe('Good ');
    expect(text.pendingLength).toBe(0);
  });

  it('text that arrives while a piece is being stored belongs to the next piece', () => {
    const text = new TurnText('t');
    text.add({ text: 'Good ', reasoning: 'hm ', tokenIds: [1] });
    const piece = text.pending();
    text.add({ text: 'morning', reasoning: 'well', tokenIds: [2, 3] });
    text.confirm(piece);
    expect(text.pending()).toEqual({
      turnId: 't',
      text: 'morning',
      reasoning: 'well',
      aux: '{"ids":[2,3]}',
    });
    expect(text.whole).toBe('Good morning');
  });

  it('the text of a turn can be continued by token ids only if the ids of all its text are known', () => {
    const text = new TurnText('t');
    text.add({ text: 'a', tokenIds: [1], promptTokenIds: [9, 9] });
    text.confirm(text.pending());
    expect(text.prefix()).toEqual({ text: 'a', tokenIds: [1], promptTokenIds: [9, 9] });
    text.add({ text: 'b' });
    text.confirm(text.pending());
    expect(text.prefix()).toEqual({ text: 'ab', tokenIds: null, promptTokenIds: [9, 9] });
    text.add({ text: 'c', tokenIds: [3] });
    text.confirm(text.pending());
    expect(text.prefix()?.tokenIds).toBeNull();
  });

  it('a piece with one chunk without token ids has no ids', () => {
    const text = new TurnText('t');
    text.add({ text: 'a', tokenIds: [1] });
    text.add({ text: 'b' });
    expect(text.pending().aux).toBeUndefined();
    text.confirm(text.pending());
    expect(text.prefix()).toMatchObject({ text: 'ab', tokenIds: null });
  });

  it('an empty chunk does not cost the text of a turn its token ids', () => {
    const text = new TurnText('t');
    text.add({ text: 'a', tokenIds: [1] });
    text.add({ text: '' });
    text.confirm(text.pending());
    expect(text.prefix()?.tokenIds).toEqual([1]);
  });

  it('the prompt tokens of a turn are those of its first request, not of a continuation', () => {
    const text = new TurnText('t');
    text.add({ text: 'a', tokenIds: [1], promptTokenIds: [7] });
    text.confirm(text.pending());
    text.add({ text: 'b', tokenIds: [2], promptTokenIds: [7, 1] });
    text.confirm(text.pending());
    expect(text.prefix()?.promptTokenIds).toEqual([7]);
  });

  it('the text of a turn is restored from its own frames, whichever instance stored them', () => {
    const text = new TurnText('t');
    text.add({ text: 'one ', tokenIds: [1], promptTokenIds: [7] });
    const first = text.pending();
    text.confirm(first);
    text.add({ text: 'two', tokenIds: [2] });
    const second = text.pending();
    text.confirm(second);
    const again = new TurnText('t');
    again.replay(deltaFrame(3, 1, first));
    again.replay(storedFrame(4, '{"type":"state","offset":4,"epoch":1,"value":"idle","version":2}'));
    again.replay(deltaFrame(5, 1, { turnId: 'another', text: 'not mine', reasoning: '', aux: undefined }));
    again.replay(deltaFrame(6, 2, second));
    expect(again.prefix()).toEqual(text.prefix());
    expect(again.whole).toBe('one two');
  });

  it('the stored text of a turn is exactly the concatenation of its chunks, however they are cut into pieces', () => {
    const chunk = fc.record({
      text: fc.string({ unit: fc.constantFrom('a', ' ', 'é', '\ud83e', '🦵'), maxLength: 6 }),
      store: fc.boolean(),
      late: fc.boolean(),
    });
    fc.assert(
      fc.property(fc.array(chunk, { maxLength: 40 }), (chunks) => {
        const text = new TurnText('t');
        const log: string[] = [];
        let waiting: ReturnType<TurnText['pending']> | null = null;
        const confirm = () => {
          if (waiting === null) return;
          text.confirm(waiting);
          log.push(waiting.text);
          waiting = null;
        };
        for (const { text: said, store, late } of chunks) {
          text.add({ text: said });
          if (!late) confirm();
          if (store && waiting === null) waiting = text.pending();
        }
        confirm();
        const all = chunks.map(({ text: said }) => said).join('');
        expect(stored(text)).toBe(log.join(''));
        expect(text.whole).toBe(all);
        expect(`${log.join('')}${text.pending().text}`).toBe(all);
      }),
    );
  });
});
