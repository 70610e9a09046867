/** Composer is the field for the next message, with its policy, Send and Stop. */
import type { OverlapPolicy } from '../package/client.ts';
import { button, byId, element } from './elements.ts';
import type { Waiting } from './state/page-state.ts';

export interface ComposerActions {
  /** Throws if the message cannot be sent. */
  readonly send: (content: string, policy: OverlapPolicy) => void;
  readonly stop: () => void;
  readonly withdraw: (messageId: string) => void;
  readonly failed: (error: unknown) => void;
}

export interface ComposerView {
  readonly waiting: readonly Waiting[];
  readonly isRunning: boolean;
  readonly isClosed: boolean;
  readonly placeholder: string;
}

export class Composer {
  readonly #field = byId('question', HTMLTextAreaElement);
  readonly #policy = byId('policy', HTMLSelectElement);
  readonly #overlap = byId('overlap', HTMLLabelElement);
  readonly #send = byId('send', HTMLButtonElement);
  readonly #stop = byId('stop', HTMLButtonElement);
  readonly #waiting = byId('waiting', HTMLUListElement);
  readonly #actions: ComposerActions;
  #shown = '';

  constructor(actions: ComposerActions) {
    this.#actions = actions;
    const form = byId('composer', HTMLFormElement);
    form.onsubmit = (event) => {
      event.preventDefault();
      this.#submit();
    };
    this.#stop.onclick = actions.stop;
    this.#field.oninput = () => this.#fit();
    this.#field.onkeydown = (event) => {
      // While an input method composes, Enter belongs to it.
      if (event.key !== 'Enter' || event.shiftKey || event.isComposing) return;
      event.preventDefault();
      this.#submit();
    };
  }

  focus(): void {
    this.#field.focus();
  }

  show({ waiting, isRunning, isClosed, placeholder }: ComposerView): void {
    this.#field.disabled = isClosed;
    this.#send.disabled = isClosed;
    this.#field.placeholder = placeholder;
    this.#stop.hidden = !isRunning;
    this.#overlap.hidden = !isRunning;
    const key = JSON.stringify(waiting);
    if (key === this.#shown) return;
    this.#shown = key;
    this.#waiting.hidden = waiting.length === 0;
    this.#waiting.replaceChildren(...waiting.map((one) => this.#item(one)));
  }

  #item({ id, content }: Waiting): HTMLLIElement {
    const words = content ?? 'A message of another client';
    const remove = button('Remove', () => this.#actions.withdraw(id));
    remove.ariaLabel = `Remove the waiting message: ${words}`;
    const item = element('li', {}, element('span', {}, words), remove);
    item.dataset.message = id;
    return item;
  }

  #submit(): void {
    const content = this.#field.value.trim();
    if (content === '' || this.#send.disabled) return;
    try {
      this.#actions.send(content, this.#policy.value as OverlapPolicy);
    } catch (error) {
      // The words stay in the field.
      return this.#actions.failed(error);
    }
    this.#field.value = '';
    this.#fit();
  }

  /** The field grows with its words, up to the height that its style allows. */
  #fit(): void {
    this.#field.style.height = 'auto';
    this.#field.style.height = `${this.#field.scrollHeight + 2}px`;
  }
}
