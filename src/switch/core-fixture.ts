// A bridge that only remembers: for tests of connections without tables, translation or a datapath.
import { type Clock, VirtualClock } from '../base/clock.ts';
import { KernelError, PeerError } from '../base/errors.ts';
import { type Listener, type Stream, streamPair } from '../base/stream.ts';
import type { Datapath } from '../datapath/datapath.ts';
import { type Match, newKey } from '../flow/key.ts';
import { unpackMatch } from '../flow/mask.ts';
import type { Action } from '../openflow/action.ts';
import type { GroupMod } from '../openflow/group.ts';
import type { FlowMod, FlowStats, PortDesc, PortStats, TableStats } from '../openflow/message.ts';
import type { MeterFeatures, MeterMod } from '../openflow/meter.ts';
import type { BridgeSettings, ControllerRequest, SwitchEnvironment } from './contract.ts';
import type { BridgeCore, BridgeEvents, PacketInEvent, PacketOutRequest, PortMod, QueueStats } from './core.ts';

export const portDesc = (port: number, name: string): PortDesc => ({
  port,
  mac: [0xaa55aa55, port],
  name,
  config: 0,
  state: 0,
  current: 0,
  advertised: 0,
  supported: 0,
  peer: 0,
  currentSpeedKbps: 0,
  maxSpeedKbps: 0,
});

export class FakeCore implements BridgeCore {
  readonly name = 'br0';
  readonly clock: VirtualClock;
  readonly tableCount = 254;
  settings: BridgeSettings = {
    datapathId: 1n,
    failMode: 'secure',
    versions: [1, 2, 3, 4, 5, 6],
    dpDescription: '',
    serialNumber: '',
    macAgingSec: 300,
    macTableSize: 8192,
    forwardBpdu: false,
    floodVlans: [],
    localMac: [0, 1],
  };
  readonly installed: FlowStats[] = [];
  readonly hidden = new Map<number, readonly Action[]>();
  readonly sent: PacketOutRequest[] = [];
  readonly did: string[] = [];
  events: BridgeEvents = {};

  /** A test against real sockets gives the real clock. */
  constructor(clock: Clock = new VirtualClock()) {
    this.clock = clock as VirtualClock;
  }

  flowMod(mod: FlowMod): void {
    if (mod.table === 99) throw new PeerError('OFPFMFC_TABLE_FULL', 'full');
    this.did.push(`flowMod ${mod.command}`);
    if (mod.command === 'delete') this.installed.length = 0;
    if (mod.command !== 'add') return;
    this.installed.push({
      match: mod.packed === undefined ? mod.match : unpackMatch(mod.packed.mask, mod.packed.values),
      priority: mod.priority,
      cookie: mod.newCookie ?? mod.cookie,
      table: mod.table === 255 ? 0 : mod.table,
      durationSec: 0,
      durationNsec: 0,
      idleTimeoutSec: mod.idleTimeoutSec,
      hardTimeoutSec: mod.hardTimeoutSec,
      idleAgeSec: 0,
      hardAgeSec: 0,
      importance: 0,
      packetCount: 0n,
      byteCount: 0n,
      flags: mod.flags,
      actions: mod.actions,
    });
  }
  portMod(mod: PortMod): void {
    if (mod.port > 2) throw new PeerError('OFPPMFC_BAD_PORT', 'no such port');
    this.did.push(`portMod ${mod.port}`);
  }
  tableMod(): void {}
  groupMod(mod: GroupMod): void {
    this.did.push(`groupMod ${mod.command}`);
  }
  groupDescs(): [] {
    return [];
  }
  groupStats(): [] {
    return [];
  }
  meterMod(mod: MeterMod): void {
    this.did.push(`meterMod ${mod.command}`);
  }
  meterConfigs(): [] {
    return [];
  }
  meterStats(): [] {
    return [];
  }
  meterFeatures(): MeterFeatures {
    return { maxMeters: 0, bandTypes: 0, capabilities: 0, maxBands: 0, maxColor: 0 };
  }
  apply(): void {}
  flows(): Iterable<FlowStats> {
    return this.installed;
  }
  aggregate(): { packetCount: bigint; byteCount: bigint; flowCount: number } {
    return { packetCount: 0n, byteCount: 0n, flowCount: this.installed.length };
  }
  tableStats(): TableStats[] {
    return Array.from({ length: 254 }, (_, table) => ({
      table,
      name: `table${table}`,
      maxEntries: 1_000_000,
      activeCount: 0,
      lookupCount: 0n,
      matchedCount: 0n,
    }));
  }
  portDescs(): PortDesc[] {
    return [portDesc(1, 'p1'), portDesc(2, 'p2')];
  }
  portDesc(port: number): PortDesc | undefined {
    return this.portDescs().find((desc) => desc.port === port);
  }
  portStats(): PortStats[] {
    throw new PeerError('OFPBRC_BAD_PORT', 'no such port');
  }
  queueStats(): QueueStats[] {
    return [];
  }
  packetOut(request: PacketOutRequest): void {
    this.sent.push(request);
  }
  resume(): void {}

  hiddenFlow(priority: number, _match: Match, actions: readonly Action[] | undefined): void {
    if (actions === undefined) this.hidden.delete(priority);
    else this.hidden.set(priority, actions);
  }
  flushFlows(): void {
    this.did.push('flush');
    this.installed.length = 0;
  }
  expire(): void {}
  subscribe(events: BridgeEvents): () => void {
    this.events = events;
    return () => {
      this.events = {};
    };
  }
}

export const packetInEvent = (overrides: Partial<PacketInEvent> = {}): PacketInEvent => {
  const key = newKey();
  const mask = newKey();
  key[0] = 1;
  mask[0] = 0xffffffff;
  return {
    frame: new Uint8Array(60),
    reason: 'implicit_miss',
    table: 0,
    cookie: 0n,
    match: { key, mask },
    maxLen: undefined,
    controllerId: 0,
    userdata: undefined,
    meterId: 0,
    offload: { csumStart: 0, csumOffset: 0, gsoType: 0, gsoSize: 0 },
    key,
    ...overrides,
  };
};

export const controllerRequest = (target: string, overrides: Partial<ControllerRequest> = {}): ControllerRequest => ({
  target,
  type: 'primary',
  maxBackoffMs: 8000,
  probeIntervalMs: 5000,
  rateLimit: 0,
  burstLimit: 0,
  queueLength: 100,
  dscp: 48,
  enableAsync: true,
  ...overrides,
});

/** An environment whose connections end in this process: names listened on by the test answer, others refuse. */
export class FakeNetwork {
  readonly listeners = new Map<string, (stream: Stream) => void>();
  readonly environment: SwitchEnvironment;

  constructor(clock: VirtualClock) {
    this.environment = {
      clock,
      runDirectory: '/run',
      connect: (target) => {
        const onStream = this.listeners.get(target);
        if (onStream === undefined) return Promise.reject(new KernelError('connect', 111, 'Connection refused'));
        const [ours, theirs] = streamPair(target);
        onStream(theirs);
        return Promise.resolve(ours);
      },
      listen: (target, onStream): Promise<Listener> => {
        this.listeners.set(target, onStream);
        return Promise.resolve({ name: target, boundPort: 0, close: () => void this.listeners.delete(target) });
      },
      openDatapath: (): Datapath => {
        throw new Error('connections open no datapath');
      },
    };
  }

  /** Connects to what the bridge listens on. */
  dial(target: string): Stream {
    const onStream = this.listeners.get(target);
    if (onStream === undefined) throw new Error(`nobody listens on ${target}`);
    const [ours, theirs] = streamPair('peer');
    onStream(theirs);
    return ours;
  }
}

/** Lets everything that waits for a turn have it. */
export const settle = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 0));
