/** DemoStrip breaks the connection on purpose, and counts what the client made of it. */
import { button, byId, element, say } from './elements.ts';
import type { LiveConversation } from './live-conversation.ts';

export function demoStrip(live: () => LiveConversation): () => void {
  const strip = byId('demo', HTMLElement);
  const figures = element('span', { className: 'figures' });
  const kill = (): void => live().killConnection();
  // The client dials the next instance of its list, or whichever the load balancer chooses.
  const tools = [button('Kill the connection', kill), button('Move to another instance', kill)];
  strip.append(...tools, figures);
  strip.hidden = false;
  return () => {
    const { session, state } = live();
    const { offset } = session.conversation;
    const resumed = state.resumedAfter === null ? '' : ` · last resumed after frame ${state.resumedAfter}`;
    say(figures, `${state.welcomes} connections · ${offset} frames${resumed}`);
  };
}
