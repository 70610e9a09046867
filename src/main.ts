/** Main handles signals, then loads the service, or the supervisor of several. */
import { readSupervision } from './config/supervision.ts';
import { endOnSignals } from './startup/early-signals.ts';

endOnSignals();
// run.ts answers arguments such as --help.
if (process.argv.length > 2 || readSupervision(process.env) === null) await import('./run.ts');
else (await import('./supervisor/supervise.ts')).supervise();
