/**
 * Normalises numbers and units as people write them: `37,5 ºC`, `℃`, full-width and Arabic digits, `½`.
 *
 * The session keeps the client's own words beside the value, so no client sees this spelling.
 */
const PLAIN_NUMBER = String.raw`\d+(?:\.\d+)?`;

/** ASCII digits, a decimal point, `°`, straight primes, no accents, single spaces. Letters keep their case. */
export function plainText(sent: string): string {
  return (
    sent
      .replace(/\p{Nd}/gu, asciiDigit)
      // NFKD would turn the first into an "o" and the next line's marks into accents.
      .replace(/[º˚⁰]/g, '°')
      .replace(/[´`‘’′ʹ]/g, "'")
      .replace(/(\d*)\s*(\p{No})/gu, mixedFraction)
      .normalize('NFKD')
      .replace(/[\u0300-\u036f]/g, '')
      .replace(/''|[“”″]/g, '"')
      .replace(/(\d)[,٫](\d)/g, '$1.$2')
      .replace(/\u2212/g, '-')
      .replace(/(\d) (\d)\/(\d)(?![\d/])/g, (_, whole, over, under) => withFraction(whole, over, under))
      .replace(/\s+/g, ' ')
      .trim()
  );
}

/** The look-up key of a unit: `[degF]`, `mm[Hg]`, `{beats}/min` and `kg.` without brackets, spaces and full stop. */
export function unitKey(unit: string): string {
  return plainText(unit)
    .toLowerCase()
    .replace(/[\s[\]{}]/g, '')
    .replace(/[.,]$/, '');
}

export interface Amount {
  readonly value: number;
  /** As the client wrote it, '' if it wrote none. */
  readonly unit: string;
}

/** `3200 g` or `37.5`: a number first, then anything. */
export function readAmount(plain: string): Amount | null {
  const match = new RegExp(`^(-?${PLAIN_NUMBER})\\s*(\\S.*)?$`).exec(plain);
  return match?.[1] === undefined ? null : { value: Number(match[1]), unit: match[2] ?? '' };
}

/** `5 ft 11 in`, `5'11`, `8 lb, 3 oz`, `2 años y 3 meses`: two numbers with a unit after the first. */
export function readTwoAmounts(plain: string): readonly [Amount, Amount] | null {
  const match = new RegExp(
    `^(${PLAIN_NUMBER})\\s*([^\\d\\s,.][^\\d,]*?)[.,]?(?:\\s*(?:,|\\band|\\by)\\s)?\\s*(${PLAIN_NUMBER})\\s*([^\\d]*)$`,
  ).exec(plain);
  if (match?.[1] === undefined || match[2] === undefined || match[3] === undefined) return null;
  return [
    { value: Number(match[1]), unit: match[2] },
    { value: Number(match[3]), unit: match[4] ?? '' },
  ];
}

/** Unicode keeps the ten digits of a script together. */
function asciiDigit(digit: string): string {
  const code = digit.codePointAt(0) ?? 0;
  let below = 0;
  while (/\p{Nd}/u.test(String.fromCodePoint(Math.max(0, code - below - 1)))) below += 1;
  return String(below % 10);
}

function mixedFraction(written: string, whole: string, sign: string): string {
  const [over, under] = sign.normalize('NFKD').split('\u2044');
  return over === undefined || under === undefined ? written : withFraction(whole, over, under);
}

function withFraction(whole: string, over: string, under: string): string {
  return String(Number(whole) + Number(over) / Number(under));
}
