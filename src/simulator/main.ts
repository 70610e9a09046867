/** The simulator as a program: `npm run simulator`. It takes signals before it loads the rest. */
import { endOnSignals } from '../startup/early-signals.ts';

endOnSignals();
await import('./run.ts');
