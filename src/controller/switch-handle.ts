// One connected switch: what is known of it, and what can be asked of it. Requests are promises that reject with OpenFlowError when the
// switch refuses, and with PeerError when it goes away.
import { type Match, matchAll } from '../flow/key.ts';
import { type Action, OFPP } from '../openflow/action.ts';
import type { OpenFlowConnection } from '../openflow/channel/connection.ts';
import { inPortMatch } from '../openflow/codec/packet-codec.ts';
import type {
  FlowMod,
  FlowStats,
  FlowStatsRequest,
  Framed,
  Message,
  OfVersion,
  PortDesc,
  PortStats,
  TableStats,
} from '../openflow/message.ts';

const NO_BUFFER = 0xffffffff;
const ANY_GROUP = 0xffffffff;
const ALL_TABLES = 255;

/** A flow mod of which only what differs from "add, priority 32768, everything, forever" has to be said. */
export type FlowRequest = Partial<Omit<FlowMod, 'kind'>>;

export class SwitchHandle {
  /** What the log calls the connection. */
  readonly name: string;
  readonly #connection: OpenFlowConnection;
  #features: Extract<Message, { kind: 'featuresReply' }> | undefined;
  readonly #ports = new Map<number, PortDesc>();

  constructor(name: string, connection: OpenFlowConnection) {
    this.name = name;
    this.#connection = connection;
  }

  get version(): OfVersion {
    return this.#connection.version ?? 1;
  }

  get datapathId(): bigint {
    return this.#features?.datapathId ?? 0n;
  }

  /** Ports by number, kept current by port status messages. */
  get ports(): ReadonlyMap<number, PortDesc> {
    return this.#ports;
  }

  get isConnected(): boolean {
    return !this.#connection.isClosed;
  }

  /** Bytes that the switch has not taken yet; an app that floods should look. */
  get queuedBytes(): number {
    return this.#connection.stream.queuedBytes;
  }

  /** Asks for features and ports; called once before apps hear of the switch. */
  async greet(): Promise<void> {
    const features = (await this.request({ kind: 'featuresRequest' }))[0]?.message;
    if (features?.kind !== 'featuresReply') throw new Error(`${this.name}: no features in the reply to a features request`);
    this.#features = features;
    const descs = features.ports ?? (await this.portDescs());
    for (const desc of descs) this.#ports.set(desc.port, desc);
  }

  /** Takes a port status message into account. */
  portChanged(reason: 'add' | 'delete' | 'modify', desc: PortDesc): void {
    if (reason === 'delete') this.#ports.delete(desc.port);
    else this.#ports.set(desc.port, desc);
  }

  /** Sends a message that has no reply; gives its xid. */
  send(message: Message): number {
    return this.#connection.send(message);
  }

  /** Sends a request; gives all parts of the reply. */
  request(message: Message): Promise<Framed[]> {
    return this.#connection.ask(message);
  }

  /** Sends a flow mod. An error comes to the apps' `onMessage`; `barrier` says when it has been carried out. */
  flowMod(request: FlowRequest): void {
    const command = request.command ?? 'add';
    const isAdd = command === 'add';
    this.send({
      kind: 'flowMod',
      command,
      match: matchAll(),
      priority: 32768,
      cookie: 0n,
      cookieMask: 0n,
      newCookie: isAdd ? (request.cookie ?? 0n) : undefined,
      table: isAdd ? 0 : ALL_TABLES,
      idleTimeoutSec: 0,
      hardTimeoutSec: 0,
      importance: 0,
      bufferId: NO_BUFFER,
      outPort: OFPP.NONE,
      outGroup: ANY_GROUP,
      flags: { sendFlowRem: false, checkOverlap: false, resetCounts: false, noPacketCounts: false, noByteCounts: false },
      actions: [],
      ...request,
    });
  }

  /** Resolves when everything sent before has been carried out. */
  async barrier(): Promise<void> {
    await this.request({ kind: 'barrierRequest' });
  }

  /** Has the switch process a frame, or the frame that it holds under `bufferId`. */
  packetOut(inPort: number, actions: Action[], data: Uint8Array, bufferId = NO_BUFFER): void {
    this.send({
      kind: 'packetOut',
      bufferId,
      match: inPortMatch(inPort),
      actions,
      data: bufferId === NO_BUFFER ? data : new Uint8Array(0),
    });
  }

  /** Flows that match; all of them by default. */
  async flows(filter: Partial<FlowStatsRequest> & { match?: Match } = {}): Promise<FlowStats[]> {
    const request: FlowStatsRequest = {
      match: matchAll(),
      table: ALL_TABLES,
      outPort: OFPP.NONE,
      outGroup: ANY_GROUP,
      cookie: 0n,
      cookieMask: 0n,
      ...filter,
    };
    const parts = await this.request({ kind: 'flowStatsRequest', request });
    return parts.flatMap(({ message }) => (message.kind === 'flowStatsReply' ? message.flows : []));
  }

  async portDescs(): Promise<PortDesc[]> {
    const parts = await this.request({ kind: 'portDescRequest', port: OFPP.NONE });
    return parts.flatMap(({ message }) => (message.kind === 'portDescReply' ? message.ports : []));
  }

  async portStats(port: number = OFPP.NONE): Promise<PortStats[]> {
    const parts = await this.request({ kind: 'portStatsRequest', port });
    return parts.flatMap(({ message }) => (message.kind === 'portStatsReply' ? message.ports : []));
  }

  async tableStats(): Promise<TableStats[]> {
    const parts = await this.request({ kind: 'tableStatsRequest' });
    return parts.flatMap(({ message }) => (message.kind === 'tableStatsReply' ? message.tables : []));
  }

  disconnect(): void {
    this.#connection.close();
  }
}
