/**
 * UnknownNames finds variables that are probably misspelt settings: a typo would silently leave the default in force.
 *
 *  UNKNOWN-1  No warning names a variable that other software sets (a shell, npm, Kubernetes, vLLM): an operator stops
 *             reading warnings after one that is wrong.
 */

export interface Unknown {
  readonly name: string;
  /** The setting that the operator probably meant. */
  readonly meant: string;
}

/** Names below this length are too common to guess from: HOST, PORT. */
const SHORTEST = 7;
/** From this length on, a name with two typing errors still matches one setting only. */
const LONG = 13;
const OWN_PREFIX = 'REHYDRA_';
/** First words that no common software uses: a name with one of them and a missing or wrong word is a misspelt setting. */
const OWN_WORDS = new Set([
  'ARCHIVE',
  'AUDIT',
  'DRAIN',
  'FLUSH',
  'GENERATION',
  'HIBERNATE',
  'LEASE',
  'OVERLAP',
  'RATE',
  'REDIS',
  'SESSION',
  'SESSIONS',
  'SIMULATOR',
  'SYSTEM',
  'TRUST',
  'VLLM',
]);
/** Kubernetes sets these for each service, whatever its name: REDIS_SERVICE_HOST, REDIS_PORT_6379_TCP_ADDR. */
const SERVICE_LINK = /_SERVICE_(HOST|PORT(_\w+)?)$|_PORT_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?$/;
const SERVICE_ADDRESS = /^(tcp|udp|sctp):\/\//;

export function unknownNames(
  environment: Readonly<Record<string, string | undefined>>,
  known: readonly string[],
): readonly Unknown[] {
  return Object.entries(environment).flatMap(([name, value = '']) => {
    if (known.includes(name) || name.startsWith('npm_')) return [];
    if (SERVICE_LINK.test(name) || SERVICE_ADDRESS.test(value)) return [];
    const meant = meantBy(name.toUpperCase(), known);
    return meant === null ? [] : [{ name, meant }];
  });
}

function meantBy(name: string, known: readonly string[]): string | null {
  if (known.includes(name)) return name;
  if (name.startsWith(OWN_PREFIX)) {
    const rest = name.slice(OWN_PREFIX.length);
    return known.includes(rest) ? rest : meantBy(rest, known);
  }
  const typed = nearest(name, known);
  if (typed !== null) return typed;
  return OWN_WORDS.has(firstWord(name)) ? (known.find((one) => isVariantOf(name, one)) ?? null) : null;
}

function nearest(name: string, known: readonly string[]): string | null {
  if (name.length < SHORTEST) return null;
  const candidates = known
    .filter((one) => one.length >= SHORTEST && one[0] === name[0] && !isOtherShortWord(name, one))
    .map((one) => ({ one, distance: distance(name, one) }))
    .filter(({ one, distance }) => distance <= (Math.min(one.length, name.length) >= LONG ? 2 : 1))
    .sort((a, b) => a.distance - b.distance);
  return candidates[0]?.one ?? null;
}

/** INSTANCE_IP does not mean INSTANCE_ID: one letter makes another word of two letters. */
function isOtherShortWord(name: string, known: string): boolean {
  const [words, knownWords] = [name.split('_'), known.split('_')];
  return (
    words.length === knownWords.length &&
    words.some((word, index) => {
      const other = knownWords[index] ?? '';
      return word.length <= 2 && word.length === other.length && word !== other;
    })
  );
}

/** VLLM_URL omits a word of VLLM_BASE_URL; SESSION_IDLE_SECONDS is SESSION_IDLE_MS in another unit. */
function isVariantOf(name: string, known: string): boolean {
  const [words, knownWords] = [name.split('_'), known.split('_')];
  if (words[0] !== knownWords[0] || words.length < 2) return false;
  if (words.length === knownWords.length)
    return words.length > 2 && known.endsWith('_MS') && differInLastOnly(words, knownWords);
  const left = [...knownWords];
  const isSubsequence = words.every((word) => {
    const index = left.indexOf(word);
    if (index === -1) return false;
    left.splice(0, index + 1);
    return true;
  });
  return isSubsequence && knownWords.length - words.length === 1;
}

function differInLastOnly(words: readonly string[], others: readonly string[]): boolean {
  return words.slice(0, -1).join('_') === others.slice(0, -1).join('_');
}

function firstWord(name: string): string {
  return name.split('_')[0] ?? '';
}

/** Counts insertions, deletions, substitutions, and swaps of two neighbours. */
function distance(a: string, b: string): number {
  let [before, last]: [readonly number[], readonly number[]] = [
    [],
    Array.from({ length: b.length + 1 }, (_, j) => j),
  ];
  for (let i = 1; i <= a.length; i += 1) {
    const row = [i];
    for (let j = 1; j <= b.length; j += 1) {
      const substituted = (last[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      const isSwapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1];
      const swapped = isSwapped ? (before[j - 2] ?? 0) + 1 : Number.POSITIVE_INFINITY;
      row.push(Math.min(substituted, (last[j] ?? 0) + 1, (row[j - 1] ?? 0) + 1, swapped));
    }
    [before, last] = [last, row];
  }
  return last[b.length] ?? 0;
}
