/**
 * TurnList shows the turns of a conversation, and changes only what has changed.
 *
 *  TURNLIST-1  The text of an answer on the page is the text of the turn, character for character.
 *  TURNLIST-2  A piece of an answer is appended: a page that wrote the whole text each time would take a time that grows with its square.
 */
import type { TurnView } from '../package/client.ts';
import { button, element, say } from './elements.ts';
import { outcomeWords, SIMULATED } from './state/words.ts';

export interface TurnActions {
  readonly edit: (turn: TurnView, content: string) => void;
  readonly answerAgain: (turn: TurnView) => void;
  readonly forkAfter: (turn: TurnView) => void;
}

interface ShownTurn {
  readonly root: HTMLElement;
  show(turn: TurnView, isBusy: boolean): void;
}

export class TurnList {
  readonly #place: HTMLElement;
  readonly #actions: TurnActions;
  readonly #shown = new Map<string, ShownTurn>();

  constructor(place: HTMLElement, actions: TurnActions) {
    this.#place = place;
    this.#actions = actions;
  }

  /** `isBusy`: a turn runs or the connection is gone, so no turn can be changed now. */
  show(turns: readonly TurnView[], isBusy: boolean): void {
    const visible = turns.filter(isVisible);
    const ids = new Set(visible.map(({ turnId }) => turnId));
    for (const [id, { root }] of this.#shown) {
      if (ids.has(id)) continue;
      root.remove();
      this.#shown.delete(id);
    }
    for (const turn of visible) {
      let one = this.#shown.get(turn.turnId);
      if (one === undefined) {
        one = shownTurn(turn, this.#actions);
        this.#shown.set(turn.turnId, one);
        this.#place.append(one.root);
      }
      one.show(turn, isBusy);
    }
  }
}

/** A message that left the queue has no question, and a turn that was rolled back is forgotten. */
function isVisible({ question, text, outcome }: TurnView): boolean {
  if (outcome.kind !== 'cancelled') return true;
  return outcome.reason !== 'rollback' && (question !== null || text !== '');
}

function shownTurn({ turnId }: TurnView, actions: TurnActions): ShownTurn {
  const words = element('p', { className: 'words' });
  const question = element('div', { className: 'question' }, heading('You'), words);
  const mark = element('p', { className: 'mark', hidden: true }, SIMULATED);
  const thought = growing('thought');
  const reasoning = element('details', { hidden: true }, element('summary', {}, 'Reasoning'), thought.root);
  const text = growing('words');
  const remark = element('p', { className: 'remark', hidden: true });
  const answer = element(
    'div',
    { className: 'answer' },
    heading('Answer'),
    mark,
    reasoning,
    text.root,
    remark,
  );
  let latest: TurnView | undefined;
  let wasBusy = false;
  const withLatest = (act: (turn: TurnView) => void) => () => {
    if (latest !== undefined) act(latest);
  };
  const tools = [
    button(
      'Edit',
      withLatest((turn) => editIn(question, words, turn, actions)),
    ),
    button('Answer again', withLatest(actions.answerAgain)),
    button('Fork from here', withLatest(actions.forkAfter)),
    button(
      'Copy',
      withLatest(({ text: copied }) => void navigator.clipboard?.writeText(copied)),
    ),
  ];
  const bar = element('div', { className: 'tools' }, ...tools);
  const root = element('article', { className: 'turn' }, question, answer, bar);
  root.dataset.turn = turnId;
  return {
    root,
    show(turn, isBusy) {
      // The client makes a new object of a turn that changes.
      if (turn === latest && isBusy === wasBusy) return;
      latest = turn;
      wasBusy = isBusy;
      const isRunning = turn.outcome.kind === 'running';
      question.hidden = turn.question === null;
      if (words.textContent !== turn.question) words.textContent = turn.question;
      text.show(turn.text);
      thought.show(turn.reasoning);
      reasoning.hidden = turn.reasoning === '';
      mark.hidden = !turn.simulated;
      say(remark, outcomeWords(turn.outcome));
      root.dataset.outcome = turn.outcome.kind;
      // A screen reader waits with the answer until it is whole.
      answer.ariaBusy = String(isRunning);
      bar.hidden = isRunning;
      for (const tool of tools.slice(0, 3)) tool.disabled = isBusy;
    },
  };
}

const heading = (words: string) => element('h2', { className: 'unseen' }, words);

/** Text that grows at its end. */
function growing(className: string) {
  const text = document.createTextNode('');
  let shown = '';
  return {
    root: element('p', { className }, text),
    show(whole: string): void {
      if (whole === shown) return;
      if (whole.startsWith(shown))
        text.appendData(whole.slice(shown.length)); // TURNLIST-2
      else text.data = whole;
      shown = whole;
    },
  };
}

function editIn(place: HTMLElement, words: HTMLElement, turn: TurnView, { edit }: TurnActions): void {
  if (place.querySelector('form') !== null) return;
  const field = element('textarea', { value: turn.question ?? '', rows: 3, ariaLabel: 'Your message' });
  const close = (): void => {
    form.remove();
    words.hidden = false;
  };
  const send = element('button', { type: 'submit', className: 'main' }, 'Send');
  const form = element(
    'form',
    {},
    field,
    element('div', { className: 'row' }, button('Cancel', close), send),
  );
  form.onsubmit = (event) => {
    event.preventDefault();
    const content = field.value.trim();
    if (content === '') return;
    close();
    edit(turn, content);
  };
  form.onkeydown = ({ key }) => {
    if (key === 'Escape') close();
  };
  words.hidden = true;
  place.append(form);
  field.focus();
}
