/** Writes the result of a check for an operator: first what is wrong, then what each chain holds. */
import { at, type ChainSummary, type Finding, type Note, type Verdict } from './findings.ts';

/** `kept`: how many heads from elsewhere the check compared with. */
export function reportOf({ findings, notes, chains, lines }: Verdict, kept: number): string {
  const first = firstOfEachChain(findings);
  const isForeign = lines === 0 && findings.some(({ kind }) => kind === 'edited');
  const report = [
    ...first.map(({ kind, chain, place, what }) =>
      [place === null ? null : at(place), kind, chain === null ? what : `${what} (chain ${chain})`]
        .filter((part) => part !== null)
        .join(': '),
    ),
    ...(findings.length > first.length ? [`${findings.length - first.length} more lines are wrong`] : []),
    ...(isForeign ? ['no line fits: is this the key with which the log was written?'] : []),
    ...notes.map(noteLine),
    ...chains.flatMap(chainLines),
    ...(kept === 0 && findings.length === 0
      ? ['no head was given with --log or --anchor: a chain that is missing as a whole would not show']
      : []),
    findings.length === 0 ? `unchanged: ${lines} lines` : `changed: ${lines} lines are as written`,
  ];
  return `${report.join('\n')}\n`;
}

/** Without a stop the end of a chain proves nothing about later lines: the report says so, whatever heads were given. */
function chainLines(summary: ChainSummary): readonly string[] {
  const { chain, instance, from, to, first, last, end, named, hasStopped } = summary;
  const line = `chain ${chain} of ${instance}: lines ${first}–${last.seq}, ${from} to ${to}`;
  if (hasStopped) return [`${line}, stopped: no line after it is missing`];
  const reach =
    named === null
      ? 'no head outside the chain names it'
      : `the last head outside the chain names line ${named}`;
  // A head beyond the end has its finding already.
  const lost = named !== null && named > last.seq ? `line ${named}` : `line ${last.seq} (${at(end)})`;
  return [`${line}, no stop`, `  ${reach}: lines cut off after ${lost} would not show`];
}

/** What follows the first changed line of a chain may be its consequence. */
function firstOfEachChain(findings: readonly Finding[]): readonly Finding[] {
  const seen = new Set<string>();
  return findings.filter(({ chain }) => {
    if (chain === null) return true;
    if (seen.has(chain)) return false;
    seen.add(chain);
    return true;
  });
}

const noteLine = ({ place, what }: Note): string => `note: ${place === null ? '' : `${at(place)}: `}${what}`;
