// Carries out the operations of a list on a packet.
//
// A change to a packet that is queued somewhere flushes first. What follows a clone sees the packet as it was before: lists that change
// frames work on a copy, unless nothing comes after them.
import { hashFields } from '../../flow/hash.ts';
import { W } from '../../flow/key.ts';
import { newPacket, type Packet } from '../../netdev/packet.ts';
import type { TunnelProtocol } from '../../wire/tunnel-headers.ts';
import { Chance } from './chance.ts';
import { adopt, assemble, isFragment, resume } from './conntrack/fragments.ts';
import type { Conntrack, CtRequest } from './conntrack/tracker.ts';
import { addMpls, popEth, popNsh, pushEth, pushNsh } from './encapsulation.ts';
import { flowHash } from './flow-hash.ts';
import { popMpls, popVlan, pushMpls, pushVlan, setFields } from './headers.ts';
import type { Meters } from './meters.ts';
import { popTunnel, pushTunnel } from './native-tunnel.ts';
import type { Outputs } from './outputs.ts';
import { OP, type Op } from './program.ts';
import { countDrop, type DropReason, type SharedState, STAT } from './shared-state.ts';
import { writeTunnelKey } from './tunnel-key.ts';
import type { UpcallQueue } from './upcall-queue.ts';
import { extractWalk, newWalk, refreshWalk, segmentLength, type Walk, WalkStack } from './walk.ts';

/** Open vSwitch's netdev datapath gives up there too. */
const MAX_RECIRC = 6;
const MAX_DEPTH = 24;
/** Hash algorithm whose value is the same in both directions of a connection. */
const SYMMETRIC = 1;

/** Where packets come from, and go to be looked up again. */
export interface FramePath {
  /** The datapath's clock. */
  readonly nowMs: number;
  lookup(walk: Walk, depth: number): void;
}

/** What operations work with. */
export interface ActionParts {
  readonly state: SharedState;
  readonly outputs: Outputs;
  readonly upcalls: UpcallQueue;
  readonly meters: Meters;
  readonly conntrack: Conntrack;
}

export class ActionRunner {
  readonly #path: FramePath;
  readonly #state: SharedState;
  readonly #outputs: Outputs;
  readonly #upcalls: UpcallQueue;
  readonly #meters: Meters;
  readonly #conntrack: Conntrack;
  readonly #walks: WalkStack;
  readonly #chance = new Chance();
  /** What fragments make together. */
  #whole: Walk | undefined;

  constructor(path: FramePath, { state, outputs, upcalls, meters, conntrack }: ActionParts, makePacket: () => Packet) {
    this.#path = path;
    this.#state = state;
    this.#outputs = outputs;
    this.#upcalls = upcalls;
    this.#meters = meters;
    this.#conntrack = conntrack;
    this.#walks = new WalkStack(outputs, makePacket);
  }

  /** Does what a list says with a packet; its depth counts the lists around it. */
  run(ops: readonly Op[], walk: Walk, depth: number): void {
    for (let i = 0; i < ops.length; i++) {
      const op = ops[i]!;
      const isLast = i === ops.length - 1;
      switch (op.code) {
        case OP.output:
          this.#outputs.send(op.a, walk);
          break;
        case OP.userspace:
          refreshWalk(walk);
          if (!this.#upcalls.put('action', walk.packet, walk.key, op.cookie)) {
            this.#state.stats[STAT.lost]! += 1;
            this.#drop('upcall_queue_full');
          }
          break;
        case OP.pushVlan:
          this.#claim(walk);
          if (!pushVlan(walk.packet, op.a, op.b)) {
            this.#drop('malformed');
            return;
          }
          break;
        case OP.popVlan:
          this.#claim(walk);
          popVlan(walk.packet);
          break;
        case OP.pushMpls:
          refreshWalk(walk);
          this.#claim(walk);
          if (!pushMpls(walk.packet, walk.layout, op.a, op.b)) {
            this.#drop('malformed');
            return;
          }
          break;
        case OP.popMpls:
          refreshWalk(walk);
          this.#claim(walk);
          popMpls(walk.packet, walk.layout, op.a);
          if (walk.packetType !== 0) walk.packetType = 0x10000 | op.a;
          break;
        case OP.set:
          refreshWalk(walk);
          this.#claim(walk);
          setFields(walk.packet, walk.key, walk.layout, op.words);
          break;
        case OP.setTunnel:
          walk.tunnel = op.tunnel;
          break;
        case OP.setMark:
          walk.key[W.PKT_MARK] = (walk.key[W.PKT_MARK]! & ~op.b) | (op.a & op.b);
          break;
        case OP.setPriority:
          walk.key[W.SKB_PRIORITY] = (walk.key[W.SKB_PRIORITY]! & ~op.b) | (op.a & op.b);
          break;
        case OP.recirc:
          this.#recirculate(op.a, walk, depth, isLast);
          break;
        case OP.clone:
          this.#nested(op, op.actions, walk, depth, isLast);
          break;
        case OP.sample:
          if (this.#chance.hits(op.a)) this.#nested(op, op.actions, walk, depth, isLast);
          break;
        case OP.checkPktLen:
          this.#nested(op, segmentLength(walk) > op.a ? op.actions : op.otherwise, walk, depth, isLast);
          break;
        case OP.trunc:
          walk.trunc = op.a;
          break;
        case OP.hash:
          refreshWalk(walk);
          walk.key[W.DP_HASH] = op.a === SYMMETRIC ? hashFields(walk.key, 'symmetric_l3l4+udp', op.b) || 1 : flowHash(walk.key, op.b);
          break;
        case OP.drop:
          this.#drop('action_drop');
          return;
        case OP.meter:
          if (!this.#meters.pass(op.a, walk.packet.length, this.#path.nowMs)) {
            this.#drop('meter');
            return;
          }
          break;
        case OP.ct:
          refreshWalk(walk);
          if (isFragment(walk.key) && this.#hold(walk, op.ct!, ops, i + 1, depth)) return;
          this.#track(walk, op.ct!);
          break;
        case OP.ctClear:
          for (let w: number = W.CT_STATE; w <= W.CT_MARK; w++) walk.key[w] = 0;
          walk.key.fill(0, W.CT_LABEL, W.TUN_ID);
          break;
        case OP.popEth:
          refreshWalk(walk);
          this.#claim(walk);
          walk.packetType = popEth(walk.packet, walk.layout, walk.packetType);
          break;
        case OP.pushEth:
          this.#claim(walk);
          walk.packetType = pushEth(walk.packet, op.header);
          break;
        case OP.pushNsh:
        case OP.addMpls: {
          this.#claim(walk);
          const isNsh = op.code === OP.pushNsh;
          const type = isNsh ? pushNsh(walk.packet, op.header, walk.packetType) : addMpls(walk.packet, op.a, op.b, walk.packetType);
          if (type < 0) {
            this.#drop('malformed');
            return;
          }
          walk.packetType = type;
          break;
        }
        case OP.popNsh: {
          this.#claim(walk);
          const type = popNsh(walk.packet);
          if (type < 0) {
            this.#drop('malformed');
            return;
          }
          walk.packetType = type;
          break;
        }
        case OP.tunnelPush:
          refreshWalk(walk);
          this.#claim(walk);
          if (walk.trunc !== 0 && walk.trunc < walk.packet.length) walk.packet.length = walk.trunc;
          walk.trunc = 0;
          if (!pushTunnel(walk.packet, walk.key, op.header)) {
            this.#drop('malformed');
            return;
          }
          break;
        case OP.tunnelPop:
          this.#popTunnel(op, walk, depth, isLast);
          break;
        default:
          this.#drop('unsupported_action');
          return;
      }
    }
  }

  #nested(op: Op, actions: readonly Op[], walk: Walk, depth: number, isLast: boolean): void {
    if (depth >= MAX_DEPTH) {
      this.#drop('recirc_limit');
      return;
    }
    if (isLast) {
      this.run(actions, walk, depth);
    } else if (op.b === 1) {
      this.run(actions, this.#walks.copy(walk, depth), depth + 1);
    } else {
      const { tunnel, trunc } = walk;
      this.run(actions, walk, depth);
      walk.tunnel = tunnel;
      walk.trunc = trunc;
    }
  }

  #recirculate(id: number, walk: Walk, depth: number, isLast: boolean): void {
    if (walk.recircs >= MAX_RECIRC || depth >= MAX_DEPTH) {
      this.#drop('recirc_limit');
      return;
    }
    const next = isLast ? walk : this.#walks.copy(walk, depth);
    next.recircs++;
    next.key[W.RECIRC_ID] = id;
    this.#path.lookup(next, depth + 1);
  }

  /** Takes an outer header off and looks the frame up again as one of the tunnel's port. */
  #popTunnel(op: Op, walk: Walk, depth: number, isLast: boolean): void {
    if (depth >= MAX_DEPTH) {
      this.#drop('recirc_limit');
      return;
    }
    const next = isLast ? walk : this.#walks.copy(walk, depth);
    refreshWalk(next);
    this.#claim(next);
    const tunnel = popTunnel(next.packet, next.key, next.layout, op.group as TunnelProtocol);
    if (tunnel === undefined) {
      this.#drop('tunnel_header');
      return;
    }
    const { key } = next;
    for (let i = W.RECIRC_ID; i < W.SKB_PRIORITY; i++) key[i] = 0;
    key.fill(0, W.CT_LABEL, W.TUN_ID);
    writeTunnelKey(key, tunnel);
    next.hasTunnelKey = true;
    key[W.IN_PORT] = op.a;
    next.recircs++;
    this.#path.lookup(next, depth + 1);
  }

  /** A fragment waits for the rest of its packet, or is the last of it: then they all go on. False: it is tracked as it is. */
  #hold(walk: Walk, request: CtRequest, ops: readonly Op[], next: number, depth: number): boolean {
    const { fragments } = this.#conntrack;
    fragments.expire(this.#path.nowMs);
    const parts = fragments.take(walk, request.zone, this.#path.nowMs);
    if (parts === undefined) return false;
    if (parts === 'held') return true;
    if (depth >= MAX_DEPTH) {
      this.#drop('recirc_limit', parts.length);
      return true;
    }
    this.#whole ??= newWalk(newPacket());
    const whole = this.#whole;
    assemble(parts, whole);
    whole.layout = extractWalk(whole);
    this.#track(whole, request);
    adopt(parts, whole, request.nat !== undefined);
    const rest = ops.slice(next);
    for (const part of parts) {
      const own = this.#walks.at(depth);
      resume(part, own);
      this.run(rest, own, depth + 1);
    }
    return true;
  }

  /** The key and the layout are those of the packet as it is. */
  #track(walk: Walk, request: CtRequest): void {
    // A packet that may be rewritten must not be one that somebody still means to send.
    if (request.nat !== undefined) this.#claim(walk);
    this.#conntrack.nowMs = this.#path.nowMs;
    this.#conntrack.execute(walk.packet, walk.key, walk.layout, request);
    walk.hasCtKey = true;
  }

  /** Before the bytes change: nobody else may still mean to send them. */
  #claim(walk: Walk): void {
    walk.isStale = true;
    if (!walk.packet.isQueued) return;
    this.#outputs.flush();
    walk.packet.isQueued = false;
  }

  #drop(reason: DropReason, count = 1): void {
    countDrop(this.#state, reason, count);
  }
}
