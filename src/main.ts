/** Main handles signals, then loads the service. */
import { endOnSignals } from './startup/early-signals.ts';

endOnSignals();
await import('./run.ts');
