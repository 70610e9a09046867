/** One file, because the order matters: the last part kills the server. */
import { describeCancel } from './cancel.ts';
import { describeClient } from './client.ts';
import { describeContinuation } from './continuation.ts';
import { describeKill } from './kill.ts';
import { describeOverflow } from './overflow.ts';

describeClient();
describeContinuation();
describeCancel();
describeOverflow();
describeKill();
