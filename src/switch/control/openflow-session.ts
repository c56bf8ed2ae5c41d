// One OpenFlow peer of a bridge from its hello to its end: what it set up for itself (role, configuration, formats), its requests in
// order, and the asynchronous messages it wants.
//
// Requests are served one at a time (`openflow-request-queue.ts`). A peer that takes nothing of its replies, or for which more than FULL
// bytes of asynchronous messages wait, is dropped. Packet-ins are dropped when as many wait as the controller's row allows
// (controller_queue_size), and counted.
import { errorText, PeerError } from '../../base/errors.ts';
import { logger } from '../../base/log.ts';
import { LogLimit, limitedLogger } from '../../base/log-limit.ts';
import type { Stream } from '../../base/stream.ts';
import { OFPP } from '../../openflow/action.ts';
import { OpenFlowChannel } from '../../openflow/channel/channel.ts';
import { encodeMessage } from '../../openflow/codec/codec.ts';
import { inPortMatch } from '../../openflow/codec/packet-codec.ts';
import { errorMessage } from '../../openflow/errors.ts';
import type { MonitorUpdate } from '../../openflow/flow-monitor.ts';
import { BUCKET, type GroupMod } from '../../openflow/group.ts';
import type { Framed, Message, OfVersion, PortDesc, Role } from '../../openflow/message.ts';
import { HeaderFault, identifyMessage } from '../../openflow/message-table.ts';
import type { MeterMod } from '../../openflow/meter.ts';
import type { TableDesc } from '../../openflow/table.ts';
import type { BridgeCore, FlowChangeEvent, PacketInEvent, Sender } from '../core.ts';
import { FlowModSummary } from './connection-log.ts';
import { WaitingCount } from './connection-queue.ts';
import { PacketInLimiter } from './connection-rate-limit.ts';
import { RequestAssembler } from './openflow-assembler.ts';
import { AsyncConfig } from './openflow-async.ts';
import { BundleStore } from './openflow-bundles.ts';
import { FlowMonitors } from './openflow-monitors.ts';
import { replyParts } from './openflow-multipart.ts';
import { packetInMessage } from './openflow-packet-in.ts';
import { RequestQueue } from './openflow-request-queue.ts';
import { isForSwitches, refuseSecondary, serve } from './openflow-requests.ts';
import { roleStatus } from './openflow-role-status.ts';

const log = logger('ofproto');
/** A peer can ask for as many refusals as it likes. */
const refusalLog = limitedLogger('connmgr', new LogLimit(10, 10));

/** What a request is, for the log. */
function requestName(bytes: Uint8Array): string {
  try {
    return identifyMessage(bytes).name;
  } catch (error) {
    if (!(error instanceof PeerError)) throw error;
    return 'invalid';
  }
}

/** So much of packet-ins may wait, however few they are. */
const PACKET_IN_WATER = 8 * 1024 * 1024;
const FULL = 16 * 1024 * 1024;
/** With more than this waiting, flow monitors pause. */
const MONITOR_WATER = 128 * 1024;
const OFPT_REQUESTFORWARD = 32;

export interface SessionSettings {
  kind: 'primary' | 'service';
  enableAsync: boolean;
  rateLimit: number;
  burstLimit: number;
  queueLength: number;
}

/** What a session needs of the connections around it. */
export interface SessionHub {
  readonly core: BridgeCore;
  /** The bridge's generation id, undefined until a controller set one. */
  generationId: bigint | undefined;
  /** How the bridge treats IP fragments, OFPC_FRAG_*. */
  fragFlags: number;
  onOpen(session: OpenFlowSession): void;
  /** Told for every message from the peer. */
  onActivity(session: OpenFlowSession, kind: Message['kind'] | undefined): void;
  onClose(session: OpenFlowSession, reason: string): void;
  onAbandon(session: OpenFlowSession): void;
  /** The session became primary: all others that were are secondary now. */
  onPrimary(session: OpenFlowSession): void;
  /** What decides whether table misses go to controllers may have changed. */
  onInterest(): void;
  onTraffic(session: OpenFlowSession, bytes: Uint8Array): void;
}

export class OpenFlowSession implements Sender {
  readonly name: string;
  readonly core: BridgeCore;
  readonly hub: SessionHub;
  readonly settings: SessionSettings;
  readonly channel: OpenFlowChannel;
  async: AsyncConfig;
  role: Role = 'equal';
  missSendLength: number;
  controllerId = 0;
  packetInsDropped = 0;
  readonly bundles: BundleStore;
  readonly monitors: FlowMonitors;
  readonly #miss: PacketInLimiter<PacketInEvent>;
  readonly #action: PacketInLimiter<PacketInEvent>;
  readonly #waitingPacketIns = new WaitingCount();
  readonly #parts: RequestAssembler;
  readonly #flowMods: FlowModSummary;
  readonly #requests: RequestQueue;
  /** The request that is being answered. */
  #request: Uint8Array = new Uint8Array(8);
  #isOver = false;

  constructor(name: string, stream: Stream, hub: SessionHub, settings: SessionSettings) {
    this.name = name;
    this.hub = hub;
    this.core = hub.core;
    this.settings = settings;
    this.missSendLength = settings.kind === 'primary' ? 128 : 0;
    this.async = new AsyncConfig(1, settings.enableAsync);
    const { clock } = this.core;
    this.#flowMods = new FlowModSummary(clock, name);
    this.monitors = new FlowMonitors(this.core);
    this.bundles = new BundleStore(clock, (opener) => this.sendError('OFPBFC_TIMEOUT', opener));
    this.#parts = new RequestAssembler(clock, (first) => this.sendError('OFPBRC_MULTIPART_REQUEST_TIMEOUT', first));
    const send = (event: PacketInEvent): void => this.#sendPacketIn(event);
    this.#miss = new PacketInLimiter(clock, settings.rateLimit, settings.burstLimit, send);
    this.#action = new PacketInLimiter(clock, settings.rateLimit, settings.burstLimit, send);
    this.channel = new OpenFlowChannel(stream.name, stream, this.core.settings.versions, {
      onOpen: (version) => {
        this.async = new AsyncConfig(version, settings.enableAsync);
        hub.onOpen(this);
      },
      onMessage: (message, bytes) => this.#take(message, bytes),
      onClose: (reason) => this.#end(reason),
      onDrain: () => this.#drained(),
      onTraffic: (bytes) => hub.onTraffic(this, bytes),
    });
    this.#requests = new RequestQueue(this.channel, clock, {
      serve: (message, bytes) => this.#serve(message, bytes),
      refuse: (error) => this.#refuse(error, undefined, this.#request),
      stalled: () => this.close('Connection timed out'),
    });
    this.channel.options.packsFlows = true;
    this.channel.options.isStrict = true;
    if (this.core.tlvTable !== undefined) this.channel.options.tlvTable = this.core.tlvTable;
  }

  get version(): OfVersion {
    return this.channel.version;
  }

  get isOpen(): boolean {
    return this.channel.isOpen;
  }

  /** Counters of rate limiting, for Controller:status; undefined without a limit. */
  get limits(): { miss: PacketInLimiter<PacketInEvent>['counters']; action: PacketInLimiter<PacketInEvent>['counters'] } | undefined {
    return this.#miss.isLimiting ? { miss: this.#miss.counters, action: this.#action.counters } : undefined;
  }

  /** Whether frames that no flow matched are for this peer: OpenFlow 1.0 to 1.2, and listening. */
  get wantsMisses(): boolean {
    // Whether it is told of them is another question, as in the reference.
    return this.isOpen && this.version < 4 && this.controllerId === 0;
  }

  configure(settings: { rateLimit: number; burstLimit: number; queueLength: number }): void {
    this.settings.queueLength = settings.queueLength;
    this.#miss.configure(settings.rateLimit, settings.burstLimit);
    this.#action.configure(settings.rateLimit, settings.burstLimit);
  }

  /** Ends the session; the hub is told. */
  close(reason: string): void {
    this.channel.close(reason);
  }

  /** Ends the session because its owner wants so; `onClose` is not told. */
  abandon(): void {
    this.channel.abandon();
    this.#cleanUp();
    this.hub.onAbandon(this);
  }

  send(message: Message, xid = 0): void {
    this.channel.send(message, xid);
  }

  /** The bytes of a message to this peer. */
  encode(message: Message, xid: number, nxFlows = this.channel.options.nxFlows ?? false): Uint8Array {
    return encodeMessage(this.version, xid, message, { ...this.channel.options, nxFlows });
  }

  /** A message nobody asked for. */
  notify(message: Message): void {
    if (!this.isOpen) return;
    if (this.channel.queuedBytes > FULL) {
      this.close('No buffer space available');
      return;
    }
    try {
      this.channel.send(message, 0);
    } catch (error) {
      if (!(error instanceof PeerError)) throw error;
      log.dbg(`${this.name}: ${error.message}`);
    }
  }

  portStatus(reason: 'add' | 'delete' | 'modify', desc: PortDesc, before?: PortDesc): void {
    if (!this.isOpen || !this.#listens || !this.async.wantsPortStatus(this.role, reason)) return;
    // A change that this peer's version cannot express is none.
    if (before !== undefined) {
      const [old, now] = [before, desc].map((one) => this.encode({ kind: 'portStatus', reason, desc: one }, 0));
      if (Buffer.compare(old!, now!) === 0) return;
    }
    this.notify({ kind: 'portStatus', reason, desc });
  }

  flowRemoved(removed: Extract<Message, { kind: 'flowRemoved' }>): void {
    const { reason } = removed;
    if (typeof reason === 'number' || !this.isOpen || !this.#listens) return;
    if (this.async.wantsFlowRemoved(this.role, reason)) this.notify(removed);
  }

  tableStatus(reason: 'vacancy_down' | 'vacancy_up', desc: TableDesc): void {
    if (!this.isOpen || this.version < 5 || !this.#listens || !this.async.wantsTableStatus(this.role, reason)) return;
    this.notify({ kind: 'tableStatus', reason, desc });
  }

  /** The transaction that is being served. */
  get requestXid(): number {
    return new DataView(this.#request.buffer, this.#request.byteOffset).getUint32(4);
  }

  /** OFPT_REQUESTFORWARD: what another controller has just changed, in this peer's version. */
  requestForward(what: 'group' | 'meter', mod: GroupMod | MeterMod, xid: number): void {
    if (!this.isOpen || this.version < 5 || !this.#listens || !this.async.wantsRequestForward(this.role, what)) return;
    const inner = encodeMessage(this.version, xid, this.#forwarded(mod));
    const bytes = new Uint8Array(8 + inner.length);
    bytes.set([this.version, OFPT_REQUESTFORWARD, bytes.length >> 8, bytes.length & 0xff]);
    bytes.set(inner, 8);
    this.channel.sendBytes(bytes);
  }

  /** Before OpenFlow 1.5 buckets cannot be changed one by one: such a peer is told of the whole group. */
  #forwarded(mod: GroupMod | MeterMod): GroupMod | MeterMod {
    if (mod.kind !== 'groupMod' || this.version >= 6 || (mod.command !== 'insert_bucket' && mod.command !== 'remove_bucket')) return mod;
    const whole = this.core.groupDescs(mod.group)[0];
    return whole === undefined ? mod : { kind: 'groupMod', command: 'modify', commandBucket: BUCKET.ALL, ...whole };
  }

  /** For flow monitors. */
  flowChange(event: FlowChangeEvent): void {
    if (this.monitors.count === 0 || !this.isOpen) return;
    const ownXid = event.sender === this ? this.requestXid : undefined;
    this.monitors.changed(event, ownXid);
  }

  /** Tells the peer's flow monitors what has gathered. */
  flowsSettled(): void {
    if (this.monitors.count === 0) return;
    this.#tellUpdates(this.monitors.take());
    if (this.monitors.isPaused || this.channel.queuedBytes <= MONITOR_WATER) return;
    this.monitors.pause();
    if (this.version >= 5) this.notify({ kind: 'flowMonitorReply', updates: [{ event: 'paused' }], more: false });
    else this.notify({ kind: 'flowMonitorPaused' });
  }

  /** Tells what was held back. */
  #resumeMonitors(): void {
    this.#tellUpdates(this.monitors.resume());
    if (this.version >= 5) this.notify({ kind: 'flowMonitorReply', updates: [{ event: 'resumed' }], more: false });
    else this.notify({ kind: 'flowMonitorResumed' });
  }

  #tellUpdates(updates: readonly MonitorUpdate[]): void {
    if (updates.length === 0) return;
    const parts = replyParts(
      updates,
      (part, more) => ({ kind: 'flowMonitorReply', updates: part, more }),
      (answer) => this.encode(answer, 0),
    );
    try {
      for (let part = parts.next(); part.done !== true; part = parts.next()) if (this.isOpen) this.channel.sendBytes(part.value);
    } catch (error) {
      if (!(error instanceof PeerError)) throw error;
      log.dbg(`${this.name}: ${error.message}`);
    }
    if (this.channel.queuedBytes > FULL) this.close('No buffer space available');
  }

  /** Another controller became primary instead of this one. OpenFlow 1.4 on has a message for that, OpenFlow 1.3 ONF's extension. */
  demoted(generationId: bigint): void {
    this.role = 'secondary';
    if (this.isOpen && this.version >= 4) this.channel.sendBytes(roleStatus(this.version, generationId));
  }

  /** Shows the peer a made-up frame that "missed", whatever its configuration says. */
  bogusPacketIn(frame: Uint8Array): void {
    if (!this.isOpen) return;
    const match = inPortMatch(OFPP.LOCAL);
    const base = { kind: 'packetIn', bufferId: 0xffffffff, totalLength: frame.length, reason: 'no_match', table: 0 } as const;
    this.notify({ ...base, cookie: 0xffffffffffffffffn, match, data: frame });
  }

  packetIn(event: PacketInEvent): void {
    if (!this.isOpen || !this.#listens || event.controllerId !== this.controllerId) return;
    if (event.reason === 'implicit_miss' && this.version >= 4) return;
    if (!this.async.wantsPacketIn(this.role, this.version, event.reason)) return;
    const isMiss = event.reason === 'no_match' || event.reason === 'implicit_miss' || event.reason === 'explicit_miss';
    (isMiss ? this.#miss : this.#action).push(event.key[0] ?? 0, event);
  }

  /** Counts for the summary in the log. */
  countFlowMod(command: Parameters<FlowModSummary['count']>[0]): void {
    this.#flowMods.count(command);
  }

  /** Services hear of nothing until they set a miss_send_len. */
  get #listens(): boolean {
    return this.settings.kind === 'primary' || this.missSendLength > 0;
  }

  #sendPacketIn(event: PacketInEvent): void {
    if (!this.isOpen) return;
    const { queuedBytes, takenBytes } = this.channel;
    if (queuedBytes > PACKET_IN_WATER || this.#waitingPacketIns.count(takenBytes) >= this.settings.queueLength) {
      this.packetInsDropped++;
      return;
    }
    this.notify(packetInMessage(event, this.version));
    this.#waitingPacketIns.push(this.channel.takenBytes + this.channel.queuedBytes);
  }

  #take(message: Framed | PeerError, bytes: Uint8Array): void {
    if (this.#isOver) return;
    this.hub.onActivity(this, message instanceof PeerError ? undefined : message.message.kind);
    this.#requests.take(message, bytes);
  }

  #serve(message: Framed | PeerError, bytes: Uint8Array): Iterator<Uint8Array | undefined> | undefined {
    this.#request = bytes;
    let part = bytes;
    try {
      const parts = this.#parts.take(bytes, message instanceof HeaderFault ? message : undefined);
      if (parts === undefined) return undefined;
      refuseSecondary(this, bytes);
      const sound: Framed[] = [];
      for (part of parts) {
        const framed = part === bytes ? message : this.channel.decode(part);
        if (framed instanceof PeerError) throw isForSwitches(part) ? framed : new PeerError('OFPBRC_BAD_TYPE', 'what only a switch sends');
        sound.push(framed);
      }
      part = parts[0] ?? bytes;
      return serve(this, joined(sound), part);
    } catch (error) {
      this.#refuse(error, message instanceof PeerError ? undefined : message, part);
      return undefined;
    }
  }

  /** The error message for what a request threw; our own mistakes are logged and look to the peer like a refusal. */
  #refuse(error: unknown, request: Framed | undefined, bytes: Uint8Array): void {
    let fault: PeerError;
    if (error instanceof PeerError) {
      fault = error;
    } else {
      const stack = error instanceof Error ? error.stack : errorText(error);
      log.err(`${this.name}: internal error while serving ${request?.message.kind ?? 'a message'}: ${stack}`);
      fault = new PeerError('OFPBRC_EPERM', 'internal error');
    }
    this.sendError(fault.code, bytes);
  }

  /** Answers a message with an error by name. A message of another version is refused in its own. */
  sendError(code: string, bytes: Uint8Array): void {
    const wire = bytes[0] ?? 0;
    const version = wire >= 1 && wire <= 6 ? (wire as OfVersion) : this.version;
    const xid = new DataView(bytes.buffer, bytes.byteOffset).getUint32(4);
    const answer = encodeMessage(version, xid, errorMessage(version, code, bytes));
    refusalLog.info(() => `${this.name}: sending ${code} error reply to ${requestName(bytes)} message`);
    this.channel.sendBytes(answer);
  }

  /** The peer has taken all that was sent. */
  #drained(): void {
    if (this.#isOver) return;
    if (this.monitors.isPaused) this.#resumeMonitors();
    this.#requests.drained();
  }

  #end(reason: string): void {
    if (this.#isOver) return;
    this.#cleanUp();
    this.hub.onClose(this, reason);
  }

  #cleanUp(): void {
    this.#isOver = true;
    this.#flowMods.flush();
    this.bundles.clear();
    this.#parts.clear();
    this.monitors.clear();
    this.#miss.clear();
    this.#action.clear();
    this.#requests.close();
  }
}

/** What the parts of a request ask for together. */
function joined(parts: readonly Framed[]): Framed {
  const [first] = parts as [Framed];
  if (parts.length === 1 || first.message.kind !== 'flowMonitorRequest') return first;
  const requests = parts.flatMap(({ message }) => (message.kind === 'flowMonitorRequest' ? message.requests : []));
  return { ...first, message: { kind: 'flowMonitorRequest', requests } };
}
