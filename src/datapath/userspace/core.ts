// The frame path, without any operating system: flows, actions, upcalls and counters. It runs on the main thread over dummy ports and in a
// worker over devices.
//
//   1. A port hands in a packet; its key is extracted and its metadata filled in.
//   2. The flow table is asked; a miss goes to the upcall queue with frame and key.
//   3. The flow's program runs on the packet. Outputs are queued at the ports, which may refer to the packet's own memory.
//   4. When the receiving port has no more, everything queued is flushed, and only then the memory is given back.
//
// Order: while upcalls are on their way, further frames of the same new flow follow them through the queue of upcalls and do not overtake
// them. Not for long (`held-flows.ts`): then a flow that never pauses has its frames forwarded directly.
//
// A change to a packet that is queued somewhere flushes first. What follows a clone sees the packet as it was before: lists that change
// frames work on a copy, unless nothing comes after them.
import { extractKey, setVlanLimit } from '../../flow/extract.ts';
import { hashFields } from '../../flow/hash.ts';
import { type Key, W } from '../../flow/key.ts';
import { HEADROOM, MAX_FRAME, newPacket, type Packet } from '../../netdev/packet.ts';
import type { UpcallOrder } from '../../netdev/punt-ring.ts';
import { needsPieces } from '../../netdev/segment.ts';
import type { TunnelProtocol } from '../../wire/tunnel-headers.ts';
import { type DpAction, type FrameOffload, type TunnelKey, USERSPACE_REASONS } from '../datapath.ts';
import { Chance } from './chance.ts';
import { adopt, assemble, isFragment, resume } from './conntrack/fragments.ts';
import { Conntrack, type CtRequest } from './conntrack/tracker.ts';
import { addMpls, popEth, popNsh, pushEth, pushNsh } from './encapsulation.ts';
import { flowHash } from './flow-hash.ts';
import { FlowTable } from './flow-table.ts';
import { popMpls, popVlan, pushMpls, pushVlan, setFields } from './headers.ts';
import { HeldFlows } from './held-flows.ts';
import { Meters } from './meters.ts';
import { popTunnel, pushTunnel } from './native-tunnel.ts';
import { compileActions, OP, type Op } from './program.ts';
import { SegmentCutter } from './segment-cutter.ts';
import { DROP, type DropReason, FLOW, FLOW_HELD, FLOW_WORD, PORT, type SharedState, STAT } from './shared-state.ts';
import { writeTunnelKey } from './tunnel-key.ts';
import type { UpcallQueue } from './upcall-queue.ts';
import { copyWalk, extractWalk, newWalk, refreshWalk, segmentLength, type Walk } from './walk.ts';

/** Where frames go out. `send` may keep a reference to the packet's memory until `flush`, and then sets `isQueued`. */
export interface FramePort {
  send(packet: Packet, tunnel: TunnelKey | undefined): void;
  flush(): void;
}

/** A port, and whether it may have frames queued. */
interface CorePort {
  readonly device: FramePort;
  hasQueued: boolean;
}

/** Open vSwitch's netdev datapath gives up there too. */
const MAX_RECIRC = 6;
const MAX_DEPTH = 24;
/** Frames of the control plane's that may be queued together. */
const MOST_EXECUTED = 64;

/** Hash algorithm whose value is the same in both directions of a connection. */
const SYMMETRIC = 1;

export class UserspaceCore {
  readonly state: SharedState;
  readonly flows: FlowTable;
  readonly meters: Meters;
  readonly #upcalls: UpcallQueue;
  readonly #ports: (CorePort | undefined)[] = [];
  /** Lists that a program in the kernel hands frames with. */
  readonly #lists = new Map<number, readonly Op[]>();
  /** Those that frames were sent to since the last flush. */
  readonly #queued: CorePort[] = [];
  readonly #scratch: Walk[] = [];
  readonly #top: Walk;
  /** What fragments make together. */
  #whole: Walk | undefined;
  /** Packets of frames of the control plane's; the first so many may be queued somewhere. */
  readonly #executed: Packet[] = [];
  #executedCount = 0;
  readonly #held: HeldFlows;
  #hasTunnelKey = false;
  #hasCtKey = false;
  readonly conntrack: Conntrack;
  readonly #chance = new Chance();
  /** How far upcalls have been queued, and dealt with. */
  readonly upcallOrder: UpcallOrder & { done: number };
  /** Fetches lists that may be on their way here. */
  onUnknownList: () => void = () => {};
  /** Datapath clock, set by the owner once a batch. */
  nowMs = 0;

  readonly #newPacket: () => Packet;
  readonly #cutter: SegmentCutter;

  /** `makePacket` gives packets whose memory the ports can send from; `basis` keeps hashes of connections from being guessed. */
  constructor(state: SharedState, upcalls: UpcallQueue, makePacket: () => Packet = newPacket, basis = 0) {
    this.conntrack = new Conntrack(basis);
    this.state = state;
    this.flows = new FlowTable(state);
    this.#held = new HeldFlows(state.flowWords);
    this.meters = new Meters(state.meters);
    this.#upcalls = upcalls;
    this.upcallOrder = {
      get written() {
        return upcalls.written;
      },
      done: 0,
      refusesMiss: (port, length) => upcalls.refusesMiss(port, length),
      hasRoomAgain: (port) => upcalls.hasRoomAgain(port),
    };
    this.#newPacket = makePacket;
    this.#cutter = new SegmentCutter(makePacket);
    this.#executed.push(makePacket());
    this.#top = newWalk(this.#executed[0]!);
  }

  /** The time is `nowMs`; what time ends is ended, a part at each call. */
  tick(nowMs: number): void {
    this.nowMs = nowMs;
    this.conntrack.tick(nowMs);
  }

  portAdd(number: number, port: FramePort): void {
    this.#ports[number] = { device: port, hasQueued: false };
    this.state.ports.fill(0, number * PORT.SIZE, (number + 1) * PORT.SIZE);
  }

  portDelete(number: number): void {
    if (this.#ports[number]?.hasQueued) this.flush();
    this.#ports[number] = undefined;
  }

  flowPut(slot: number, generation: number, indices: Int32Array, masks: Int32Array, words: Int32Array, actions: readonly DpAction[]): void {
    this.flows.put(slot, indices, masks, words, compileActions(actions));
    this.state.flows[slot * FLOW.SIZE + FLOW.generation] = generation;
    this.#held.begin(slot, this.upcallOrder, this.nowMs);
    this.state.stats[STAT.masks] = this.flows.maskCount;
  }

  flowModify(slot: number, actions: readonly DpAction[]): void {
    this.flows.setProgram(slot, compileActions(actions));
  }

  flowDelete(slot: number): void {
    this.flows.remove(slot);
    this.#held.end(slot);
    this.state.flows[slot * FLOW.SIZE + FLOW.generation] = 0;
    this.state.stats[STAT.masks] = this.flows.maskCount;
  }

  flowFlush(): void {
    this.flows.clear();
    this.state.stats[STAT.masks] = 0;
  }

  /** A frame came in at a port. The packet is the core's until it returns, its memory until the next flush. */
  receive(port: number, packet: Packet): void {
    const at = port * PORT.SIZE;
    const counters = this.state.ports;
    counters[at]! += 1;
    counters[at + PORT.rxBytes]! += packet.length;
    const walk = this.#top;
    const { key } = walk;
    key[W.IN_PORT] = port;
    for (let i = W.RECIRC_ID; i < W.SKB_PRIORITY; i++) key[i] = 0;
    if (this.#hasCtKey) {
      key.fill(0, W.CT_LABEL, W.TUN_ID);
      this.#hasCtKey = false;
    }
    key[W.SKB_PRIORITY] = packet.priority;
    key[W.PKT_MARK] = packet.mark;
    walk.packetType = 0;
    if (packet.tunnel !== undefined) {
      writeTunnelKey(key, packet.tunnel);
      this.#hasTunnelKey = true;
    } else if (this.#hasTunnelKey) {
      key.fill(0, W.TUN_ID, W.DP_END);
      this.#hasTunnelKey = false;
    }
    key[W.RECIRC_ID] = packet.recircId;
    key[W.DP_HASH] = packet.dpHash;
    walk.packet = packet;
    walk.recircs = 0;
    if (packet.ctState !== 0) this.#recall(walk);
    if (packet.cause !== 0) this.#deliver(packet, key);
    else if (packet.token !== 0) this.#runList(walk);
    else this.#lookup(walk, 0);
  }

  listPut(token: number, actions: readonly DpAction[]): void {
    this.#lists.set(token, compileActions(actions));
  }

  listDelete(token: number): void {
    this.#lists.delete(token);
  }

  /** The kernel ran a part of a list, and leaves the rest to us. */
  #runList(walk: Walk): void {
    const { token } = walk.packet;
    if (!this.#lists.has(token)) this.onUnknownList();
    const ops = this.#lists.get(token);
    if (ops === undefined) {
      // Of a former daemon's.
      this.drop('ring_stale');
      return;
    }
    walk.layout = extractWalk(walk);
    walk.isStale = false;
    walk.tunnel = undefined;
    walk.trunc = 0;
    // The kernel counts it as one that it could not deal with.
    this.state.stats[STAT.hit]! += 1;
    this.#run(ops, walk, 0);
  }

  /** The kernel tracked the frame before it handed it on. */
  #recall(walk: Walk): void {
    const { packet, key } = walk;
    key[W.CT_STATE] = packet.ctState;
    key[W.CT_ZONE] = packet.ctZone;
    key[W.CT_MARK] = packet.ctMark;
    this.conntrack.nowMs = this.nowMs;
    this.conntrack.recall(packet, key, extractWalk(walk));
    this.#hasCtKey = true;
  }

  /** A copy that a userspace action in the kernel made. */
  #deliver(packet: Packet, key: Key): void {
    extractKey(packet.bytes, packet.start, packet.length, key);
    const cookie = { reason: USERSPACE_REASONS[packet.cause - 1] ?? 'slow_path', token: packet.token };
    if (this.#upcalls.put('action', packet, key, cookie)) return;
    this.state.stats[STAT.lost]! += 1;
    this.drop('upcall_queue_full');
  }

  /** Runs actions on a frame of the control plane's; what they send has left after the next flush. */
  execute(frame: Uint8Array, key: Key, actions: readonly DpAction[], offload: FrameOffload): void {
    if (this.#executedCount === MOST_EXECUTED) this.flush();
    const place = this.#executedCount++;
    let packet = this.#executed[place];
    if (packet === undefined) {
      packet = this.#newPacket();
      this.#executed.push(packet);
    }
    packet.point(packet.bytes, packet.address, HEADROOM, Math.min(frame.length, MAX_FRAME));
    packet.bytes.set(frame.length > packet.length ? frame.subarray(0, packet.length) : frame, packet.start);
    packet.csumStart = offload.csumStart;
    packet.csumOffset = offload.csumOffset;
    packet.gsoType = offload.gsoType;
    packet.gsoSize = offload.gsoSize;
    const walk = this.#top;
    walk.packet = packet;
    for (let i = 0; i < W.DP_END; i++) walk.key[i] = key[i]!;
    this.#hasTunnelKey = true;
    this.#hasCtKey = true;
    walk.packetType = key[W.PACKET_TYPE]!;
    walk.layout = extractWalk(walk);
    walk.isStale = false;
    walk.tunnel = undefined;
    walk.trunc = 0;
    walk.recircs = 0;
    this.#run(compileActions(actions), walk, 0);
    // A flush meanwhile has called the packets free, and this one may be queued again.
    if (this.#executedCount !== place + 1) this.flush();
  }

  /** See `flow/extract`. */
  setVlanLimit(limit: number): void {
    setVlanLimit(limit);
  }

  /** Sends what ports have queued; afterwards no port refers to any packet. */
  flush(): void {
    for (let i = 0; i < this.#queued.length; i++) {
      const port = this.#queued[i]!;
      port.hasQueued = false;
      port.device.flush();
    }
    this.#queued.length = 0;
    this.#executedCount = 0;
  }

  drop(reason: DropReason, count = 1): void {
    this.state.drops[DROP[reason]]! += count;
  }

  #lookup(walk: Walk, depth: number): void {
    const { packet, key } = walk;
    const { stats, flows: counters, flowWords } = this.state;
    walk.layout = extractWalk(walk);
    walk.isStale = false;
    walk.tunnel = undefined;
    walk.trunc = 0;
    const slot = packet.isMiss ? this.flows.lookupRare(key) : this.flows.lookup(key);
    if (slot < 0) {
      this.#tell(packet, key);
      return;
    }
    const flags = slot * FLOW_WORD.SIZE + FLOW_WORD.tcpFlags;
    if ((flowWords[flags]! & FLOW_HELD) !== 0 && this.#follow(slot, packet, key)) return;
    stats[STAT.hit]! += 1;
    const at = slot * FLOW.SIZE;
    if (!packet.isCounted) {
      counters[at]! += 1;
      counters[at + FLOW.bytes]! += packet.length;
    }
    packet.isCounted = false;
    packet.hasFlow = false;
    packet.isMiss = false;
    counters[at + FLOW.usedMs] = this.nowMs;
    const tcpFlags = key[W.TOS]! & 0xfff;
    if (tcpFlags !== 0) flowWords[flags]! |= tcpFlags;
    const program = this.flows.program(slot)!;
    if (program.length === 0) this.drop('action_drop');
    else this.#run(program, walk, depth);
  }

  #tell(packet: Packet, key: Key): void {
    const { stats } = this.state;
    // The flow that the kernel has counts what follows others.
    if (!packet.hasFlow) stats[STAT.missed]! += 1;
    if (this.#upcalls.put('miss', packet, key, undefined, packet.hasFlow)) return;
    stats[STAT.lost]! += 1;
    this.drop('upcall_queue_full');
  }

  /** Sends the frame after the upcalls of its flow; false when they have been dealt with. */
  #follow(slot: number, packet: Packet, key: Key): boolean {
    if (!this.#held.follows(slot, this.upcallOrder.done, this.nowMs)) return false;
    if (!this.#upcalls.put('miss', packet, key, undefined)) {
      this.#held.end(slot);
      return false;
    }
    this.#held.moveOn(slot, this.upcallOrder.written);
    return true;
  }

  #run(ops: readonly Op[], walk: Walk, depth: number): void {
    for (let i = 0; i < ops.length; i++) {
      const op = ops[i]!;
      const isLast = i === ops.length - 1;
      switch (op.code) {
        case OP.output:
          this.#output(op.a, walk);
          break;
        case OP.userspace:
          refreshWalk(walk);
          if (!this.#upcalls.put('action', walk.packet, walk.key, op.cookie)) {
            this.state.stats[STAT.lost]! += 1;
            this.drop('upcall_queue_full');
          }
          break;
        case OP.pushVlan:
          this.#claim(walk);
          if (!pushVlan(walk.packet, op.a, op.b)) {
            this.drop('malformed');
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
            this.drop('malformed');
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
          this.drop('action_drop');
          return;
        case OP.meter:
          if (!this.meters.pass(op.a, walk.packet.length, this.nowMs)) {
            this.drop('meter');
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
            this.drop('malformed');
            return;
          }
          walk.packetType = type;
          break;
        }
        case OP.popNsh: {
          this.#claim(walk);
          const type = popNsh(walk.packet);
          if (type < 0) {
            this.drop('malformed');
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
            this.drop('malformed');
            return;
          }
          break;
        case OP.tunnelPop:
          this.#popTunnel(op, walk, depth, isLast);
          break;
        default:
          this.drop('unsupported_action');
          return;
      }
    }
  }

  #output(number: number, walk: Walk): void {
    const port = this.#ports[number];
    if (port === undefined) {
      this.drop('no_port');
      return;
    }
    const { packet } = walk;
    if (walk.packetType !== 0) {
      this.drop('malformed');
      return;
    }
    this.#queueAt(port);
    if (walk.trunc !== 0 && walk.trunc < packet.length) {
      const { length, csumStart, gsoType } = packet;
      packet.length = walk.trunc;
      packet.csumStart = 0;
      packet.gsoType = 0;
      port.device.send(packet, walk.tunnel);
      packet.length = length;
      packet.csumStart = csumStart;
      packet.gsoType = gsoType;
    } else if (walk.tunnel === undefined && needsPieces(packet)) {
      this.#sendPieces(port, packet);
    } else {
      port.device.send(packet, walk.tunnel);
    }
    walk.trunc = 0;
  }

  /** Sends a super-segment as the frames that it stands for. */
  #sendPieces(port: CorePort, packet: Packet): void {
    const cutter = this.#cutter;
    const count = cutter.count(packet);
    if (count === 0) this.drop('malformed');
    for (let i = 0; i < count; i++) {
      if (cutter.piece.isQueued) {
        this.flush();
        this.#queueAt(port);
      }
      cutter.cut(packet, i);
      port.device.send(cutter.piece, undefined);
    }
  }

  /** The next flush is one of this port too. */
  #queueAt(port: CorePort): void {
    if (port.hasQueued) return;
    port.hasQueued = true;
    this.#queued.push(port);
  }

  /** Before the bytes change: nobody else may still mean to send them. */
  #claim(walk: Walk): void {
    walk.isStale = true;
    if (!walk.packet.isQueued) return;
    this.flush();
    walk.packet.isQueued = false;
  }

  /** A fragment waits for the rest of its packet, or is the last of it: then they all go on. False: it is tracked as it is. */
  #hold(walk: Walk, request: CtRequest, ops: readonly Op[], next: number, depth: number): boolean {
    const { fragments } = this.conntrack;
    fragments.expire(this.nowMs);
    const parts = fragments.take(walk, request.zone, this.nowMs);
    if (parts === undefined) return false;
    if (parts === 'held') return true;
    if (depth >= MAX_DEPTH) {
      this.drop('recirc_limit', parts.length);
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
      const own = this.#own(depth);
      resume(part, own);
      this.#run(rest, own, depth + 1);
    }
    return true;
  }

  /** The key and the layout are those of the packet as it is. */
  #track(walk: Walk, request: CtRequest): void {
    // A packet that may be rewritten must not be one that somebody still means to send.
    if (request.nat !== undefined) this.#claim(walk);
    this.conntrack.nowMs = this.nowMs;
    this.conntrack.execute(walk.packet, walk.key, walk.layout, request);
    this.#hasCtKey = true;
  }

  /** Takes an outer header off and looks the frame up again as one of the tunnel's port. */
  #popTunnel(op: Op, walk: Walk, depth: number, isLast: boolean): void {
    if (depth >= MAX_DEPTH) {
      this.drop('recirc_limit');
      return;
    }
    const next = isLast ? walk : this.#copy(walk, depth);
    refreshWalk(next);
    this.#claim(next);
    const tunnel = popTunnel(next.packet, next.key, next.layout, op.group as TunnelProtocol);
    if (tunnel === undefined) {
      this.drop('tunnel_header');
      return;
    }
    const { key } = next;
    for (let i = W.RECIRC_ID; i < W.SKB_PRIORITY; i++) key[i] = 0;
    key.fill(0, W.CT_LABEL, W.TUN_ID);
    writeTunnelKey(key, tunnel);
    this.#hasTunnelKey = true;
    key[W.IN_PORT] = op.a;
    next.recircs++;
    this.#lookup(next, depth + 1);
  }

  #recirculate(id: number, walk: Walk, depth: number, isLast: boolean): void {
    if (walk.recircs >= MAX_RECIRC || depth >= MAX_DEPTH) {
      this.drop('recirc_limit');
      return;
    }
    const next = isLast ? walk : this.#copy(walk, depth);
    next.recircs++;
    next.key[W.RECIRC_ID] = id;
    this.#lookup(next, depth + 1);
  }

  #nested(op: Op, actions: readonly Op[], walk: Walk, depth: number, isLast: boolean): void {
    if (depth >= MAX_DEPTH) {
      this.drop('recirc_limit');
      return;
    }
    if (isLast) {
      this.#run(actions, walk, depth);
    } else if (op.b === 1) {
      this.#run(actions, this.#copy(walk, depth), depth + 1);
    } else {
      const { tunnel, trunc } = walk;
      this.#run(actions, walk, depth);
      walk.tunnel = tunnel;
      walk.trunc = trunc;
    }
  }

  /** What lists at this depth may copy a packet into. */
  #own(depth: number): Walk {
    let own = this.#scratch[depth];
    if (own === undefined) {
      own = newWalk(this.#newPacket());
      this.#scratch[depth] = own;
    }
    if (own.packet.isQueued) this.flush();
    return own;
  }

  #copy(walk: Walk, depth: number): Walk {
    const copy = this.#own(depth);
    copyWalk(walk, copy);
    return copy;
  }
}
