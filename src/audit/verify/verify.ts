/** Verify compares what was read from audit files with what an unchanged log looks like. */
import type { ChainPoint } from '../sealed-line.ts';
import {
  at,
  byPlace,
  type ChainSummary,
  type Finding,
  linesFrom,
  type Note,
  type Place,
  type Verdict,
} from './findings.ts';
import type { BrokenPiece, Reading, Run } from './reading.ts';

/** Heads with which the lines of a chain may begin in a file. */
const BEGINNINGS: ReadonlySet<string | null> = new Set(['start', 'rotate']);

/** `anchors` are heads that were kept elsewhere. */
export function verify(reading: Reading, anchors: readonly ChainPoint[]): Verdict {
  const broken = reading.broken.filter(({ digest }) => !reading.torn.has(digest));
  // An edit may have changed the name of the chain.
  const attributed = broken.map((piece) =>
    piece.chain !== null && reading.runs.has(piece.chain) ? piece : { ...piece, chain: null },
  );
  const chains = [...reading.runs].map(([chain, runs]) => new ChainCheck(chain, runs, attributed));
  const known = new Map(chains.map((one) => [one.chain, one]));
  const findings: readonly Finding[] = [
    ...broken.map(findingOf),
    ...reading.added.map((place) => added(place)),
    ...reading.files.flatMap((file) => unsealedFile(reading, file)),
    ...chains.flatMap((one) => one.findings()),
    ...reading.links.flatMap(({ place, to }) => missing(known.get(to.chain), to, place)),
    ...anchors.flatMap((anchor) => missing(known.get(anchor.chain), anchor, null)),
  ];
  const order = byPlace(reading.files);
  return {
    findings: findings.toSorted(order),
    notes: [
      ...tornNotes(reading),
      ...chains.flatMap((one) => one.notes()),
      ...unsealedNotes(reading),
    ].toSorted(order),
    chains: chains.map((one) => one.summary([...reading.links.map(({ to }) => to), ...anchors])),
    lines: [...reading.sealed.values()].reduce((sum, count) => sum + count, 0),
  };
}

class ChainCheck {
  readonly chain: string;
  /** In the order in which the instance wrote the files. */
  readonly #runs: readonly Run[];
  readonly #broken: readonly BrokenPiece[];

  constructor(chain: string, runs: readonly Run[], broken: readonly BrokenPiece[]) {
    this.chain = chain;
    this.#runs = inWrittenOrder(runs);
    this.#broken = broken;
  }

  findings(): readonly Finding[] {
    const [first] = this.#runs;
    if (first === undefined) return [];
    return [...this.#beginning(first), ...this.#gaps(first)];
  }

  /** Whether the files have the line, or had to have it. */
  has(seq: number): boolean {
    return this.#runs.some((run) => run.first.seq <= seq && seq <= run.last.seq);
  }

  /** Whether the line is older than the given files. */
  isBefore(seq: number): boolean {
    return seq < this.#smallest();
  }

  /** The place behind which the chain should go on. */
  end(): Place {
    const last = this.#last();
    return { file: last.file, line: last.lastLine };
  }

  endSeq(): number {
    return this.#last().last.seq;
  }

  brokenBehindEnd(): number {
    const { file, line } = this.end();
    return this.#broken.filter(
      ({ chain, place }) =>
        (chain === null || chain === this.chain) && place.file === file && place.line >= line,
    ).length;
  }

  notes(): readonly Note[] {
    const [first] = this.#runs;
    if (first === undefined || first.first.seq === 1 || !BEGINNINGS.has(first.first.head)) return [];
    const what = `chain ${this.chain} begins with line ${first.first.seq}: the files before were not given`;
    return [{ place: { file: first.file, line: first.firstLine }, what }];
  }

  /** `heads`: the points that heads outside the chain name, of any chain. */
  summary(heads: readonly ChainPoint[]): ChainSummary {
    const [first] = this.#runs;
    const { last } = this.#last();
    const named = heads.filter(({ chain }) => chain === this.chain).map(({ seq }) => seq);
    return {
      chain: this.chain,
      instance: last.instance,
      from: first?.first.time ?? last.time,
      to: last.time,
      first: this.#smallest(),
      last: { chain: last.chain, seq: last.seq, mac: last.mac },
      end: this.end(),
      named: named.length === 0 ? null : named.reduce((one, other) => Math.max(one, other)),
      hasStopped: last.head === 'stop',
    };
  }

  #beginning(run: Run): readonly Finding[] {
    const { first, file, firstLine } = run;
    if (BEGINNINGS.has(first.head)) return [];
    const place = { file, line: firstLine };
    const isMoved = this.#smallest() < first.seq;
    if (isMoved) return [this.#finding('moved', place, `line ${first.seq} of the chain stands first`)];
    if (this.#brokenBetween(null, run) >= first.seq - 1) return [];
    const what = `${linesFrom(1, first.seq - 1)} of the chain are missing before it, or a part of them`;
    return [this.#finding('cut off', place, what)];
  }

  #gaps(first: Run): readonly Finding[] {
    const findings: Finding[] = [];
    let before = first;
    let expected = first.last.seq + 1;
    for (const run of this.#runs.slice(1)) {
      const { seq } = run.first;
      if (seq > expected) findings.push(...this.#gap(before, run, expected));
      else if (seq < expected) findings.push(this.#late(run));
      if (run.last.seq >= expected) {
        expected = run.last.seq + 1;
        before = run;
      }
    }
    return findings;
  }

  #gap(before: Run, run: Run, expected: number): readonly Finding[] {
    const { seq } = run.first;
    const place = { file: run.file, line: run.firstLine };
    if (this.has(expected))
      return [
        this.#finding('moved', place, `line ${seq} of the chain stands where line ${expected} belongs`),
      ];
    // An edited line has its finding already.
    if (this.#brokenBetween(before, run) >= seq - expected) return [];
    const gone = linesFrom(expected, seq - 1);
    if (before.file === run.file)
      return [this.#finding('deleted', place, `${gone} of the chain should stand before it`)];
    const end = { file: before.file, line: before.lastLine };
    return [this.#finding('cut off', end, `${gone} of the chain should follow, before ${at(place)}`)];
  }

  #late(run: Run): Finding {
    const place = { file: run.file, line: run.firstLine };
    const { seq } = run.first;
    const earlier = this.#runs.find((one) => one !== run && one.first.seq <= seq && seq <= one.last.seq);
    const what =
      earlier === undefined
        ? `line ${seq} of the chain stands behind later ones`
        : `line ${seq} of the chain stands here once more`;
    return this.#finding('moved', place, what);
  }

  /** Changed lines where lines of this chain are missing; an edit may have taken the chain's name too. */
  #brokenBetween(before: Run | null, run: Run): number {
    return this.#broken.filter(({ place }) => {
      const isBehind = before === null || place.file !== before.file || place.line >= before.lastLine;
      const isAhead = place.file !== run.file || place.line <= run.firstLine;
      const isNear = place.file === run.file || place.file === before?.file;
      return isNear && isBehind && isAhead;
    }).length;
  }

  #finding(kind: Finding['kind'], place: Place, what: string): Finding {
    return { kind, chain: this.chain, place, what };
  }

  #last(): Run {
    return this.#runs.reduce((one, other) => (other.last.seq > one.last.seq ? other : one));
  }

  #smallest(): number {
    return Math.min(...this.#runs.map(({ first }) => first.seq));
  }
}

/** The files of a chain, each by its longest run: a moved line does not decide about its file. */
function inWrittenOrder(runs: readonly Run[]): readonly Run[] {
  const longest = new Map<string, Run>();
  for (const run of runs) {
    const other = longest.get(run.file);
    if (other === undefined || lengthOf(run) > lengthOf(other)) longest.set(run.file, run);
  }
  const rank = (run: Run): number => longest.get(run.file)?.first.seq ?? 0;
  return runs.toSorted((a, b) => rank(a) - rank(b));
}

const lengthOf = ({ first, last }: Run): number => last.seq - first.seq;

function findingOf({ place, chain, isEnd }: BrokenPiece): Finding {
  if (isEnd)
    return {
      kind: 'cut off',
      chain,
      place,
      what: 'the line is unfinished, and no later start answers for it',
    };
  return { kind: 'edited', chain, place, what: 'the line is not as it was written' };
}

const added = (place: Place): Finding => ({
  kind: 'added',
  chain: null,
  place,
  what: 'the line belongs to no chain, behind lines that do',
});

function unsealedFile({ sealed, unsealed }: Reading, file: string): readonly Finding[] {
  if (sealed.has(file) || !unsealed.has(file)) return [];
  const what = 'no line of this file is sealed: it was written without a key, or its seals were removed';
  return [{ kind: 'added', chain: null, place: { file, line: 1 }, what }];
}

/** A line that another line or a kept head names must be there, unless it is older than the files. */
function missing(chain: ChainCheck | undefined, point: ChainPoint, named: Place | null): readonly Finding[] {
  const by = named === null ? 'a head that was kept elsewhere' : at(named);
  if (chain === undefined) {
    const what = `${by} names line ${point.seq} of this chain, and the files have no line of it`;
    return [{ kind: 'cut off', chain: point.chain, place: named, what }];
  }
  if (chain.has(point.seq) || chain.isBefore(point.seq) || point.seq < chain.endSeq()) return [];
  // An edited last line has its finding already.
  if (chain.brokenBehindEnd() >= point.seq - chain.endSeq()) return [];
  const gone = linesFrom(chain.endSeq() + 1, point.seq);
  const what = `${gone} of the chain should follow: ${by} names line ${point.seq}`;
  return [{ kind: 'cut off', chain: point.chain, place: chain.end(), what }];
}

function tornNotes({ broken, torn }: Reading): readonly Note[] {
  return broken
    .filter(({ digest }) => torn.has(digest))
    .map(({ place }) => ({ place, what: 'an unfinished line, for which a later head answers' }));
}

function unsealedNotes({ sealed, unsealed }: Reading): readonly Note[] {
  return [...unsealed].flatMap(([file, count]) => {
    if (!sealed.has(file)) return [];
    const what = `${count} lines before the first sealed one prove nothing`;
    return [{ place: { file, line: 1 }, what }];
  });
}
