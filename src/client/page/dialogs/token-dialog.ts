/** TokenDialog asks for a token where the server needs one. The tab keeps it; other tabs and later visits do not have it. */
import { byId, say } from '../elements.ts';

const KEY = 'rehydra.token';

export function keptToken(): string | null {
  return sessionStorage.getItem(KEY);
}

export function dropToken(): void {
  sessionStorage.removeItem(KEY);
}

export function askToken(why: string | null): Promise<string> {
  const dialog = byId('token-dialog', HTMLDialogElement);
  const form = byId('token-form', HTMLFormElement);
  const field = byId('token', HTMLInputElement);
  say(byId('token-why', HTMLElement), why);
  // Without a token there is nothing behind the dialog.
  dialog.oncancel = (event) => event.preventDefault();
  dialog.showModal();
  return new Promise((resolve) => {
    form.onsubmit = (event) => {
      event.preventDefault();
      const token = field.value.trim();
      if (token === '') return;
      sessionStorage.setItem(KEY, token);
      field.value = '';
      dialog.close();
      resolve(token);
    };
  });
}
