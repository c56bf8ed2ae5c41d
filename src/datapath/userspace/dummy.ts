// The whole datapath in one thread over ports that are no devices, on a clock that the test moves: deterministic, and without root.
import type { Clock } from '../../base/clock.ts';
import { newPacket, type Packet, type TunnelInfo } from '../../netdev/packet.ts';
import type { DpPort, DpPortSpec, FrameOffload, TunnelKey } from '../datapath.ts';
import { NO_OFFLOAD } from '../datapath.ts';
import { applyCommand, type Command } from './command.ts';
import { answerRequest, type CtAnswer, type CtRequestMessage } from './conntrack/request.ts';
import { UserspaceControl } from './control.ts';
import { UserspaceCore } from './core.ts';
import { setSourcePorts } from './native-tunnel.ts';
import type { FramePort } from './outputs.ts';
import { MAX_PORTS, PORT, sharedState } from './shared-state.ts';
import { UpcallQueue } from './upcall-queue.ts';

/** A frame that left through a dummy port. */
export interface SentFrame {
  port: DpPort;
  frame: Uint8Array;
  offload: FrameOffload;
  /** The outer header, for tunnel ports. */
  tunnel: TunnelKey | undefined;
}

export class DummyDatapath extends UserspaceControl {
  readonly #clock: Clock;
  readonly #core: UserspaceCore;
  readonly #packet = newPacket();
  #onSent: ((sent: SentFrame) => void) | undefined;
  #isDraining = false;

  readonly isSimulated = true;

  constructor(clock: Clock, name = 'ovs-dummy', type = 'dummy') {
    const state = sharedState();
    const upcalls = new UpcallQueue(1 << 20);
    super(type, name, state, upcalls);
    this.#clock = clock;
    this.#core = new UserspaceCore(state, upcalls);
  }

  /** Who is told of each frame that leaves, at once and in order. */
  setSentSink(sink: (sent: SentFrame) => void): void {
    this.#onSent = sink;
  }

  /** A frame arrives at a port. Everything that follows from it has happened when this returns. */
  receive(port: DpPort, frame: Uint8Array, offload: FrameOffload = NO_OFFLOAD, tunnel?: TunnelInfo): void {
    const packet = this.#packet;
    packet.point(packet.bytes, 0, 128, frame.length);
    packet.bytes.set(frame, packet.start);
    packet.csumStart = offload.csumStart;
    packet.csumOffset = offload.csumOffset;
    packet.gsoType = offload.gsoType;
    packet.gsoSize = offload.gsoSize;
    packet.tunnel = tunnel;
    this.#core.tick(this.#clock.now());
    this.#core.receive(port, packet);
    this.#core.flush();
    this.#drain();
  }

  /** As in Open vSwitch: `p3` gets 3 and `br0` gets 100, so that tests know the numbers. */
  protected override preferredPort(spec: DpPortSpec): DpPort | undefined {
    const digits = /\d+/.exec(spec.device)?.[0];
    if (spec.kind === 'tunnel') return spec.protocol === 'gre' ? undefined : spec.dstPort;
    if (digits === undefined) return undefined;
    const number = Number(digits) + (spec.device.startsWith('br') ? 100 : 0);
    return number > 0 && number < 1000 ? number : undefined;
  }

  protected override command(command: Command): void {
    this.#core.tick(this.#clock.now());
    applyCommand(this.#core, command);
    if (command.op === 'execute') this.#drain();
  }

  protected override async openPort(port: DpPort, _spec: DpPortSpec): Promise<void> {
    // A tunnel's port carries nothing itself where headers are put on by the datapath, and its number may be any UDP port's.
    if (port < MAX_PORTS) this.#core.portAdd(port, this.#framePort(port));
  }

  protected override async closePort(port: DpPort): Promise<void> {
    if (port < MAX_PORTS) this.#core.portDelete(port);
  }

  /** Which device a port is. */
  portName(port: DpPort): string | undefined {
    return this.portInfo(port)?.name;
  }

  /** Gives a port another, free number; its counters begin anew. */
  renumber(from: DpPort, to: DpPort): void {
    this.#core.portDelete(from);
    this.renumberPort(from, to);
    this.#core.portAdd(to, this.#framePort(to));
  }

  setSourcePorts(low: number, high: number): void {
    setSourcePorts(low, high);
  }

  override async conntrack(request: CtRequestMessage): Promise<CtAnswer> {
    this.#core.tick(this.#clock.now());
    return answerRequest(this.#core.conntrack, request);
  }

  override async close(): Promise<void> {
    this.#core.flowFlush();
  }

  #framePort(port: DpPort): FramePort {
    const counters = this.state.ports;
    return {
      send: (packet: Packet, tunnel) => {
        counters[port * PORT.SIZE + PORT.txPackets]! += 1;
        counters[port * PORT.SIZE + PORT.txBytes]! += packet.length;
        const { csumStart, csumOffset, gsoType, gsoSize } = packet;
        const frame = packet.bytes.slice(packet.start, packet.start + packet.length);
        this.#onSent?.({ port, frame, offload: { csumStart, csumOffset, gsoType, gsoSize }, tunnel });
      },
      flush: () => {},
    };
  }

  /** The sink may install flows and execute frames, which may miss again: those wait their turn here. */
  #drain(): void {
    if (this.#isDraining) return;
    this.#isDraining = true;
    try {
      while (this.deliverUpcalls());
    } finally {
      this.#isDraining = false;
    }
  }
}

/** A dummy datapath on a clock. */
export const openDummyDatapath = (clock: Clock, name?: string): DummyDatapath => new DummyDatapath(clock, name);
