import { connectionRows } from './connection-rows.ts';
import { dataRows } from './data-rows.ts';
import { reliabilityRows } from './reliability-rows.ts';
import type { ThreatRow } from './row.ts';

/** The 49 rows, in the order of their ids. */
export const threatRows: readonly ThreatRow[] = [...reliabilityRows, ...connectionRows, ...dataRows];
