// A bridge's ports as OpenFlow sees them: their descriptions, what port mods change, counters and queues.
import type { Clock } from '../base/clock.ts';
import { PeerError } from '../base/errors.ts';
import { portOrder } from '../base/hash-order.ts';
import type { DpPortCounters } from '../datapath/datapath.ts';
import { OFPP, type OfPort } from '../openflow/action.ts';
import type { PortDesc, PortStats } from '../openflow/message.ts';
import type { QueueConfig } from '../openflow/table.ts';
import type { BridgeSettings, DeviceCounters, PortLink } from './contract.ts';
import type { PortMod, QueueStats } from './core.ts';
import type { Megaflows } from './megaflows.ts';
import { LIVE, PORT_CONFIG, type SwitchPort } from './ports.ts';

const ALL_QUEUES = 0xffffffff;
const UNKNOWN_COUNT = (1n << 64n) - 1n;

const noLink: PortLink = {
  mac: [0, 0],
  isUp: true,
  hasCarrier: true,
  speedKbps: 0,
  current: 0,
  advertised: 0,
  supported: 0,
  peer: 0,
  mtu: 1500,
};

/** The counters that a simulated device shows off: what it received, twice, and what went through its queue. */
export function simulatedCounters(counters: DpPortCounters | undefined): { name: string; value: bigint }[] {
  const { rxPackets = 0n, rxBytes = 0n, txPackets = 0n, txBytes = 0n } = counters ?? {};
  return [
    { name: 'rx_custom_packets_1', value: rxPackets },
    { name: 'rx_custom_packets_2', value: rxPackets },
    { name: 'rx_q0_bytes', value: rxBytes },
    { name: 'rx_q0_packets', value: rxPackets },
    { name: 'tx_q0_bytes', value: txBytes },
    { name: 'tx_q0_packets', value: txPackets },
  ];
}

/** What this reads of the bridge, and tells it. */
export interface PortOwner {
  readonly clock: Clock;
  readonly settings: BridgeSettings;
  readonly megaflows: Megaflows;
  readonly ports: ReadonlyMap<OfPort, SwitchPort>;
  portChanged(reason: 'add' | 'delete' | 'modify', port: SwitchPort, before?: PortDesc): void;
}

/** What is asked of the devices behind ports. */
export interface PortDevices {
  setUp(port: SwitchPort, isUp: boolean): void;
  counters(name: string): DeviceCounters | undefined;
}

export class BridgePorts {
  readonly #bridge: PortOwner;
  readonly #devices: PortDevices;

  constructor(bridge: PortOwner, devices: PortDevices) {
    this.#bridge = bridge;
    this.#devices = devices;
  }

  /** Looks whether a port mod can be; what is given back does it. */
  check(mod: PortMod): () => void {
    const port = this.#bridge.ports.get(mod.port);
    if (port === undefined) throw new PeerError('OFPPMFC_BAD_PORT', `no port ${mod.port}`);
    const { mac } = this.#linkOf(port);
    if (mac[0] !== mod.mac[0] || mac[1] !== mod.mac[1]) throw new PeerError('OFPPMFC_BAD_HW_ADDR', 'the address is not the port’s');
    return () => {
      // Whether a port is down is its device's to say.
      const wantsDown = (mod.mask & PORT_CONFIG.DOWN) === 0 ? undefined : (mod.config & PORT_CONFIG.DOWN) !== 0;
      if (wantsDown !== undefined && wantsDown === this.#linkOf(port).isUp) {
        // What was asked for is told at once, and again when the device has done it.
        const before = this.describe(port);
        port.isGoingDown = wantsDown;
        this.#bridge.portChanged('modify', port, before);
        this.#devices.setUp(port, !wantsDown);
      }
      const mask = mod.mask & ~PORT_CONFIG.DOWN;
      const config = (port.config & ~mask) | (mod.config & mask);
      if (config === port.config) return;
      const before = this.describe(port);
      port.config = config;
      this.#bridge.megaflows.changed();
      this.#bridge.portChanged('modify', port, before);
    };
  }

  #linkOf(port: SwitchPort): PortLink {
    return port.link ?? { ...noLink, mac: port.port === OFPP.LOCAL ? this.#bridge.settings.localMac : [0, 0] };
  }

  /** As port descriptions and port status tell of one. */
  describe(port: SwitchPort): PortDesc {
    const link = this.#linkOf(port);
    return {
      port: port.port,
      mac: link.mac,
      name: port.name,
      config: (port.config & ~PORT_CONFIG.DOWN) | ((port.isGoingDown ?? !link.isUp) ? PORT_CONFIG.DOWN : 0),
      state: link.hasCarrier ? (link.isUp && port.isGoingDown !== true ? LIVE : 0) : 1,
      current: link.current,
      advertised: link.advertised,
      supported: link.supported,
      peer: link.peer,
      currentSpeedKbps: link.speedKbps,
      maxSpeedKbps: 0,
    };
  }

  #sortedPorts(): SwitchPort[] {
    return [...this.#bridge.ports.values()].sort((a, b) => a.port - b.port);
  }

  descs(): PortDesc[] {
    return portOrder(this.#bridge.ports.values()).map((port) => this.describe(port));
  }

  desc(number: OfPort): PortDesc | undefined {
    const port = this.#bridge.ports.get(number);
    return port === undefined ? undefined : this.describe(port);
  }

  stats(number: OfPort): PortStats[] {
    if (number === OFPP.NONE) return portOrder(this.#bridge.ports.values()).map((port) => this.#portStats(port));
    const port = this.#bridge.ports.get(number);
    if (port === undefined) throw new PeerError('OFPBRC_BAD_PORT', `no port ${number}`);
    return [this.#portStats(port)];
  }

  #portStats(port: SwitchPort): PortStats {
    const hasOwn = port.dpPort !== undefined && port.tunnel === undefined;
    if (!hasOwn) this.#bridge.megaflows.settleAll();
    const counted = hasOwn ? this.#bridge.megaflows.datapath.portCounters(port.dpPort!) : undefined;
    const { virtual } = port;
    const age = this.#bridge.clock.now() - port.createdMs;
    const either = (own: bigint | undefined, other: number): bigint => own ?? BigInt(other);
    // Only a kernel device counts faults; all ones says that nobody does.
    const isDevice = port.kind.kind === 'system' || port.kind.kind === 'internal';
    const fault = (own: bigint | undefined): bigint => (isDevice ? (own ?? 0n) : UNKNOWN_COUNT);
    // A device of the host counts since it was made, be it that it is a port only later.
    const device = port.kind.kind === 'system' ? this.#devices.counters(port.name) : undefined;
    const counters = device ?? counted;
    return {
      ...(this.#isSimulated(port) ? { custom: simulatedCounters(counters) } : {}),
      port: port.port,
      rxPackets: either(counters?.rxPackets, virtual.rxPackets),
      txPackets: either(counters?.txPackets, virtual.txPackets),
      rxBytes: either(counters?.rxBytes, virtual.rxBytes),
      txBytes: either(counters?.txBytes, virtual.txBytes),
      rxDropped: fault(counters?.rxDropped),
      txDropped: fault(counters?.txDropped),
      rxErrors: fault(counters?.rxErrors),
      txErrors: fault(counters?.txErrors),
      rxFrameErr: fault(device?.rxFrameErrors),
      rxOverErr: fault(device?.rxOverErrors),
      rxCrcErr: fault(device?.rxCrcErrors),
      collisions: fault(device?.collisions),
      durationSec: Math.floor(age / 1000),
      durationNsec: Math.floor(age % 1000) * 1_000_000,
    };
  }

  queueStats(port: OfPort, queue: number): QueueStats[] {
    if (port !== OFPP.NONE && port !== OFPP.ALL && !this.#bridge.ports.has(port))
      throw new PeerError('OFPQOFC_BAD_PORT', `no port ${port}`);
    // Devices have no queues, but dummies one that counts nothing.
    if (queue !== 0 && queue !== ALL_QUEUES) return [];
    const unknown = {
      txBytes: UNKNOWN_COUNT,
      txPackets: UNKNOWN_COUNT,
      txErrors: UNKNOWN_COUNT,
      durationSec: 0xffffffff,
      durationNsec: 0xffffffff,
    };
    return portOrder(this.#bridge.ports.values())
      .filter((one) => this.#isSimulated(one) && (port === OFPP.NONE || port === OFPP.ALL || one.port === port))
      .map((one) => ({ port: one.port, queue: 0, ...unknown }));
  }

  queueConfigs(port: OfPort): QueueConfig[] {
    return this.#sortedPorts()
      .filter((one) => this.#isSimulated(one) && (port === OFPP.NONE || one.port === port))
      .map((one) => ({ port: one.port, queue: 0 }));
  }

  /** Simulated devices, tunnels among them, have one queue and counters of their own. */
  #isSimulated(port: SwitchPort): boolean {
    return this.#bridge.megaflows.datapath.isSimulated === true && port.kind.kind !== 'patch';
  }
}
