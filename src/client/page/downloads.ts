/** Offers the transcript of the conversation as a file. */
import { byId, element } from './elements.ts';
import type { Format, Service } from './service.ts';

export function downloads(
  service: Service,
  sessionId: () => string | null,
  failed: (error: unknown) => void,
): void {
  const menu = byId('downloads', HTMLDetailsElement);
  for (const one of menu.querySelectorAll('button'))
    one.onclick = () => {
      menu.open = false;
      const id = sessionId();
      if (id !== null) save(service, id, one.value as Format).catch(failed);
    };
  const close = ({ target }: Event): void => {
    if (target instanceof Node && !menu.contains(target)) menu.open = false;
  };
  document.addEventListener('click', close);
  document.addEventListener('focusin', close);
  menu.onkeydown = ({ key }) => {
    if (key !== 'Escape') return;
    menu.open = false;
    menu.querySelector('summary')?.focus();
  };
}

/** A link cannot carry a token, so the page fetches the file. */
async function save(service: Service, sessionId: string, format: Format): Promise<void> {
  const { name, file } = await service.transcript(sessionId, format);
  const href = URL.createObjectURL(file);
  element('a', { href, download: name }).click();
  URL.revokeObjectURL(href);
}
