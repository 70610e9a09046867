/**
 * SealedLine is the form of a line in a chain: `…,"chain":"…","seq":7,"prev":"…","mac":"…"}`.
 *
 *  MAC-1  `mac` is a keyed hash of every byte before it, `prev` included. So each line can be checked without its
 *          neighbours, and names the one before it.
 *  MAC-2  Readers take files as latin1: a changed byte changes the text, also where it is not UTF-8.
 */
import { createHash, createHmac, type KeyObject } from 'node:crypto';
import { z } from 'zod';
import { LINE_START } from './audit-line.ts';

/** A place in a chain. An operator who keeps it elsewhere can prove later that no line up to it was cut off. */
export interface ChainPoint {
  readonly chain: string;
  readonly seq: number;
  readonly mac: string;
}

/** Heads are the lines that the log writes about itself, for these reasons. */
export const headKinds = ['start', 'rotate', 'hour', 'recover', 'stop'] as const;
export type HeadKind = (typeof headKinds)[number];

const pointSchema = z.object({ chain: z.string(), seq: z.int(), mac: z.string() });

/** The fields of a head; other lines have none of them. */
const headSchema = z.object({
  time: z.string(),
  instance: z.string(),
  head: z.enum(headKinds).optional(),
  follows: z.array(pointSchema).default([]),
  torn: z.array(z.string()).default([]),
});

export interface SealedLine extends ChainPoint {
  readonly prev: string;
  readonly time: string;
  readonly instance: string;
  readonly head: HeadKind | null;
  /** The last lines of other chains that this chain found in its file. */
  readonly follows: readonly ChainPoint[];
  /** Digests of unfinished lines that a killed process or a full disk left behind. */
  readonly torn: readonly string[];
}

/** A part of a physical line. */
export type Piece =
  | { readonly kind: 'sealed'; readonly line: SealedLine }
  /** A line of the audit log without any field of a chain. */
  | { readonly kind: 'unsealed' }
  /** Looks like a line of the log, but no process with this key wrote it so. */
  | { readonly kind: 'broken'; readonly chain: string | null; readonly digest: string }
  /** Another program's line in the same file. */
  | { readonly kind: 'foreign' };

const FORM =
  /^(\{"log":"audit".*,"chain":"([\w-]{11})","seq":(\d{1,15}),"prev":"([\w-]{43}|)"),"mac":"([\w-]{43})"\}$/s;
const CHAIN = /"chain":"([\w-]{11})"/;
const SEALED_SIGN = /"(?:mac|chain|prev)":/;

export function seal(
  key: KeyObject,
  text: string,
  at: Omit<ChainPoint, 'mac'> & { readonly prev: string },
): { readonly line: string; readonly mac: string } {
  const signed = `${text.slice(0, -1)},"chain":"${at.chain}","seq":${at.seq},"prev":"${at.prev}"`;
  const mac = createHmac('sha256', key).update(signed, 'utf8').digest('base64url');
  return { line: `${signed},"mac":"${mac}"}`, mac };
}

/** A killed process or a full disk leaves a line without its end; the next line may follow on the same physical line. */
export function piecesIn(physicalLine: string): readonly string[] {
  const pieces: string[] = [];
  let from = 0;
  for (;;) {
    const next = physicalLine.indexOf(LINE_START, from + 1);
    const piece = physicalLine.slice(from, next === -1 ? undefined : next);
    if (piece !== '') pieces.push(piece);
    if (next === -1) return pieces;
    from = next;
  }
}

/** Opens a piece of a file that was read as latin1 (MAC-2). */
export function openPiece(key: KeyObject, piece: string): Piece {
  const [, signed, chain, seq, prev, mac] = FORM.exec(piece) ?? [];
  if (signed !== undefined && chain !== undefined && prev !== undefined && mac !== undefined) {
    if (createHmac('sha256', key).update(signed, 'latin1').digest('base64url') !== mac)
      return { kind: 'broken', chain, digest: digestOf(piece) };
    const fields = headSchema.parse(JSON.parse(piece));
    const { time, instance, head = null, follows, torn } = fields;
    return {
      kind: 'sealed',
      line: { chain, seq: Number(seq), prev, mac, time, instance, head, follows, torn },
    };
  }
  const value = objectIn(piece);
  if (value === null || SEALED_SIGN.test(piece))
    return { kind: 'broken', chain: CHAIN.exec(piece)?.[1] ?? null, digest: digestOf(piece) };
  return value.log === 'audit' ? { kind: 'unsealed' } : { kind: 'foreign' };
}

/** Names an unfinished line without repeating it. */
export function digestOf(text: string): string {
  return createHash('sha256').update(text, 'latin1').digest('base64url');
}

function objectIn(text: string): Readonly<Record<string, unknown>> | null {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? { ...value } : null;
  } catch {
    return null;
  }
}
