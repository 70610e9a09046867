/** Builds elements from text, never from markup: words of users and of models stay words. */

export function element<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  properties: Partial<HTMLElementTagNameMap[K]> = {},
  ...children: readonly (Node | string)[]
): HTMLElementTagNameMap[K] {
  const made = document.createElement(tag);
  Object.assign(made, properties);
  made.append(...children);
  return made;
}

export function button(words: string, onclick: () => void, className = 'quiet'): HTMLButtonElement {
  return element('button', { type: 'button', className, onclick }, words);
}

/** An element of chat.html. A missing one is a mistake in the page. */
export function byId<T extends HTMLElement>(id: string, kind: new () => T): T {
  const found = document.getElementById(id);
  if (found instanceof kind) return found;
  throw new Error(`chat.html has no ${kind.name} #${id}`);
}

/** Shows the text, or hides the element without one. Equal text is left alone: a screen reader would read it again. */
export function say(place: HTMLElement, text: string | null): void {
  if (place.textContent !== (text ?? '')) place.textContent = text ?? '';
  place.hidden = text === null;
}

export function timeOf(at: number): string {
  return new Date(at).toLocaleTimeString([], { hour: '2-digit', minute: '2-digit', second: '2-digit' });
}
