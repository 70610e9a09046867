/** `npm run simulator`: handles signals before it loads the rest. */
import { endOnSignals } from '../startup/early-signals.ts';

endOnSignals();
await import('./run.ts');
