/**
 * History keeps the accepted writes apart from the store, and checks each against the promises that a write can break.
 *
 *  HISTORY-1  Frames form a tree: each knows its predecessor. Where a failover lost writes, the tree branches. So "no
 *             gap, no repeat, no silent loss" is one check: the frames of a client are a path of this tree.
 *  HISTORY-2  It never relies on the store's own fence or numbering, so it catches a store that breaks them.
 *  HISTORY-3  It forgets with the store: `remember` restores the state before the writes that a failover lost.
 */
import type { DurableFrame } from '../../../src/protocol/server-frames.ts';
import { topState } from '../../../src/session/machine/step.ts';
import { readInboxEntry } from '../../../src/session/router/inbox.ts';
import type { Append, Commit, Fence, StoredFrame } from '../../../src/store/contract.ts';
import type { StoreWitness } from '../store/store-options.ts';
import type { Violations } from './violations.ts';

/** One frame of the tree, with the state that the log has there. */
export interface FrameNode {
  readonly offset: number;
  readonly data: string;
  readonly frame: DurableFrame | null;
  readonly parent: FrameNode | null;
  readonly storedAt: number;
  readonly state: string;
  readonly turnId: string | null;
  readonly turnOffset: number;
  readonly text: string;
}

interface WriteNode {
  readonly writeId: string;
  readonly parent: WriteNode | null;
}

/** One session between its first commit and its end. */
export interface Life {
  readonly instance: string;
  readonly token: string;
  readonly epoch: number;
  readonly version: number;
  readonly tip: FrameNode;
  readonly writes: WriteNode | null;
  readonly messageIds: readonly string[];
  readonly inbox: readonly string[];
}

const ROOT: FrameNode = {
  offset: 0,
  data: '',
  frame: null,
  parent: null,
  storedAt: 0,
  state: '',
  turnId: null,
  turnOffset: 0,
  text: '',
};

interface StoredSnapshot {
  readonly value: unknown;
  readonly context: { readonly turn: { readonly id: string; readonly attempt: number } | null };
  readonly turnOffset: number;
}

export class History implements StoreWitness {
  readonly #violations: Violations;
  readonly #now: () => number;
  readonly #nodes = new Map<string, FrameNode[]>();
  readonly #byOffset = new Map<string, FrameNode[]>();
  /** `turn/attempt` of every turn that a stored snapshot asked a generation for. */
  readonly #asked = new Set<string>();
  #lives: ReadonlyMap<string, Life> = new Map();
  #branched = false;
  #ended = 0;

  constructor(violations: Violations, now: () => number) {
    this.#violations = violations;
    this.#now = now;
  }

  get lives(): ReadonlyMap<string, Life> {
    return this.#lives;
  }

  get ended(): number {
    return this.#ended;
  }

  /** Writes were lost: facts of one branch need not hold on another. */
  get branched(): boolean {
    return this.#branched;
  }

  nodesOf(sessionId: string, data: string): readonly FrameNode[] {
    return this.#nodes.get(`${sessionId} ${data}`) ?? [];
  }

  nodesAt(sessionId: string, offset: number): readonly FrameNode[] {
    return offset === 0 ? [ROOT] : (this.#byOffset.get(`${sessionId} ${offset}`) ?? []);
  }

  wasAsked(turnId: string, attempt: number): boolean {
    return this.#asked.has(`${turnId}/${attempt}`);
  }

  claimed({ sessionId, instance, token, epoch }: Fence, inbox: readonly string[]): void {
    const life = this.#lives.get(sessionId);
    // A claim that never committed may be forgotten, and the count of epochs with it.
    if (life === undefined || life.version === 0) {
      const fresh: Life = {
        instance,
        token,
        epoch,
        version: 0,
        tip: ROOT,
        writes: null,
        messageIds: [],
        inbox: [],
      };
      return this.#put(sessionId, fresh);
    }
    if (epoch <= life.epoch)
      this.#violations.found('G1', `epoch ${epoch} was claimed after epoch ${life.epoch}`);
    for (const id of forgotten(life, inbox))
      this.#violations.found('G6', `message ${id} was taken out of the inbox and never applied`);
    this.#put(sessionId, { ...life, instance, token, epoch });
  }

  committed(fence: Fence, commit: Commit): void {
    const { sessionId } = fence;
    const life = this.#lifeOf(fence, 'commit');
    if (life === null) return;
    if (commit.expectedVersion !== life.version)
      this.#violations.found('G1', `version ${commit.expectedVersion + 1} follows version ${life.version}`);
    for (const id of commit.messageIds)
      if (life.messageIds.includes(id)) this.#violations.found('G6', `message ${id} was taken twice`);
    const next = this.#written(fence, life, commit);
    const snapshot = JSON.parse(commit.snapshot) as StoredSnapshot;
    this.#compare(snapshot, next.tip);
    this.#readTranscript(commit, next.tip);
    const { turn } = snapshot.context;
    if (turn !== null) this.#asked.add(`${turn.id}/${turn.attempt}`);

    const expired = commit.frames.filter(({ data }) => data.startsWith('{"type":"expired"')).length;
    if (expired !== (commit.end ? 1 : 0))
      this.#violations.found(
        'G8',
        `${expired} expired frames in a commit that ${commit.end ? 'ends' : 'goes on'}`,
      );
    if (!commit.end) {
      const messageIds = [...life.messageIds, ...commit.messageIds];
      return this.#put(sessionId, { ...next, version: life.version + 1, messageIds });
    }
    if (next.tip.turnId !== null) this.#violations.found('G8', 'a session ended with its turn running');
    this.#ended += 1;
    const lives = new Map(this.#lives);
    lives.delete(sessionId);
    this.#lives = lives;
  }

  endedAlready({ sessionId }: Fence, commit: Commit): void {
    const unknown = commit.frames.filter(({ data }) => this.nodesOf(sessionId, data).length === 0);
    if (unknown.length === 0) return;
    // Only a failover can have erased a session under its owner. That it is over is true all the same.
    if (!this.#branched)
      this.#violations.found('G8', 'an end was acknowledged of a session that was not there');
    for (const parent of this.nodesAt(sessionId, commit.expectedHead)) {
      let tip = parent;
      for (const { offset, data } of commit.frames) {
        tip = { ...tip, offset, data, frame: JSON.parse(data) as DurableFrame, parent: tip };
        file(this.#nodes, `${sessionId} ${data}`, tip);
        file(this.#byOffset, `${sessionId} ${offset}`, tip);
      }
    }
  }

  appended(fence: Fence, append: Append): void {
    const life = this.#lifeOf(fence, 'append');
    if (life !== null) this.#put(fence.sessionId, this.#written(fence, life, append));
  }

  renewed(fence: Fence): void {
    this.#lifeOf(fence, 'renew');
  }

  released(fence: Fence): void {
    const life = this.#lifeOf(fence, 'release');
    if (life?.version !== 0) return;
    const lives = new Map(this.#lives);
    lives.delete(fence.sessionId);
    this.#lives = lives;
  }

  pushed(sessionId: string, entry: string): void {
    const life = this.#lives.get(sessionId);
    if (life !== undefined) this.#put(sessionId, { ...life, inbox: [...life.inbox, entry] });
  }

  consumed(sessionId: string, entries: readonly string[]): void {
    const life = this.#lives.get(sessionId);
    if (life === undefined) return;
    const inbox = [...life.inbox];
    for (const entry of entries) inbox.splice(inbox.indexOf(entry), 1);
    this.#put(sessionId, { ...life, inbox });
  }

  remember(): () => void {
    const lives = this.#lives;
    return () => {
      this.#branched = true;
      this.#lives = lives;
    };
  }

  #lifeOf(fence: Fence, write: string): Life | null {
    const life = this.#lives.get(fence.sessionId);
    if (life === undefined) {
      this.#violations.found('G1', `a ${write} of ${fence.instance} was accepted for a session that is gone`);
      return null;
    }
    if (life.token !== fence.token)
      this.#violations.found(
        'G1',
        `a ${write} of ${fence.instance} was accepted under epoch ${fence.epoch}; the session was claimed again under ${life.epoch}`,
      );
    return life;
  }

  #written(fence: Fence, life: Life, write: Append | Commit): Life {
    for (let node = life.writes; node !== null; node = node.parent)
      if (node.writeId === write.writeId)
        this.#violations.found('G4', `write ${write.writeId} was applied twice`);
    let tip = life.tip;
    for (const stored of write.frames) tip = this.#add(fence, tip, stored);
    return { ...life, tip, writes: { writeId: write.writeId, parent: life.writes } };
  }

  #add(fence: Fence, parent: FrameNode, stored: StoredFrame): FrameNode {
    const frame = JSON.parse(stored.data) as DurableFrame;
    if (stored.offset !== parent.offset + 1 || frame.offset !== stored.offset)
      this.#violations.found('G5', `offset ${stored.offset} was stored after ${parent.offset}`);
    if (frame.epoch !== fence.epoch)
      this.#violations.found('G5', `a frame says epoch ${frame.epoch}, its writer has ${fence.epoch}`);
    const node: FrameNode = {
      offset: stored.offset,
      data: stored.data,
      frame,
      parent,
      storedAt: this.#now(),
      ...this.#meaning(parent, frame),
    };
    file(this.#nodes, `${fence.sessionId} ${stored.data}`, node);
    file(this.#byOffset, `${fence.sessionId} ${stored.offset}`, node);
    return node;
  }

  #meaning(parent: FrameNode, frame: DurableFrame) {
    const { state, turnId, turnOffset, text } = parent;
    switch (frame.type) {
      case 'state':
        return { state: frame.value, turnId, turnOffset, text };
      case 'turn.started': {
        if (frame.restarts !== undefined) {
          if (turnId !== frame.turn_id) this.#violations.found('G7', 'a turn started over that does not run');
          return { state, turnId, turnOffset: frame.offset, text: '' };
        }
        if (turnId !== null) this.#violations.found('G3', 'a turn started while another one ran');
        for (const id of frame.message_ids ?? [frame.message_id])
          if (startedBefore(parent, id)) this.#violations.found('G6', `message ${id} started a second turn`);
        return { state, turnId: frame.turn_id, turnOffset: frame.offset, text: '' };
      }
      case 'delta':
        if (frame.turn_id !== turnId)
          this.#violations.found('G7', 'text was stored of a turn that does not run');
        return { state, turnId, turnOffset, text: text + frame.text };
      case 'turn.completed':
      case 'turn.failed':
      case 'turn.cancelled':
        if (frame.turn_id !== turnId) this.#violations.found('G7', 'a turn ended that does not run');
        return { state, turnId: null, turnOffset, text };
      default:
        return { state, turnId, turnOffset, text };
    }
  }

  /** The snapshot must match the log. */
  #compare(snapshot: StoredSnapshot, tip: FrameNode): void {
    const { context, value, turnOffset } = snapshot;
    if (topState(value) !== tip.state)
      this.#violations.found('G5', `the snapshot is ${topState(value)}, the log says ${tip.state}`);
    if ((context.turn?.id ?? null) !== tip.turnId)
      this.#violations.found('G7', 'the snapshot runs another turn than the log');
    if (tip.turnId !== null && turnOffset !== tip.turnOffset)
      this.#violations.found(
        'G7',
        `the snapshot has its turn at ${turnOffset}, the log at ${tip.turnOffset}`,
      );
  }

  /** The transcript's answer must be the concatenation of its deltas. */
  #readTranscript(commit: Commit, tip: FrameNode): void {
    for (const record of commit.transcript) {
      if ('forget' in record || record.role !== 'assistant') continue;
      const said = endOf(tip, record.turnId)?.text;
      if (said !== record.content)
        this.#violations.found('G7', `transcript and log differ: ${record.content} / ${said}`);
    }
  }

  #put(sessionId: string, life: Life): void {
    this.#lives = new Map(this.#lives).set(sessionId, life);
  }
}

function file(map: Map<string, FrameNode[]>, key: string, node: FrameNode): void {
  const nodes = map.get(key);
  if (nodes === undefined) map.set(key, [node]);
  else nodes.push(node);
}

/** Messages that the inbox accepted and that are neither applied nor in it any more. */
function forgotten(life: Life, inbox: readonly string[]): readonly string[] {
  const missing = life.inbox.filter((entry) => !inbox.includes(entry));
  return missing.flatMap((entry) => {
    const event = readInboxEntry(entry)?.event;
    return event?.type === 'message' && !life.messageIds.includes(event.messageId) ? [event.messageId] : [];
  });
}

function startedBefore(from: FrameNode, messageId: string): boolean {
  for (let node: FrameNode | null = from; node !== null; node = node.parent) {
    if (node.frame?.type !== 'turn.started') continue;
    if ((node.frame.message_ids ?? [node.frame.message_id]).includes(messageId)) return true;
  }
  return false;
}

/** The frame that ended a turn, which carries its whole text. */
function endOf(from: FrameNode, turnId: string): FrameNode | null {
  for (let node: FrameNode | null = from; node !== null; node = node.parent) {
    const { frame } = node;
    const ends =
      frame?.type === 'turn.completed' || frame?.type === 'turn.failed' || frame?.type === 'turn.cancelled';
    if (ends && frame.turn_id === turnId) return node;
  }
  return null;
}
