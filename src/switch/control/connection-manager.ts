// All OpenFlow connections of one bridge: primary and service controllers, those it seeks and those that come, the management and
// snooping sockets, and what they have in common: roles, the generation id, fail mode, and who hears of events.
import { logger } from '../../base/log.ts';
import type { GroupMod } from '../../openflow/group.ts';
import type { FlowRemoved, Message, PortDesc } from '../../openflow/message.ts';
import type { MeterMod } from '../../openflow/meter.ts';
import type { ControllerRequest, ControllerStatus, SwitchEnvironment } from '../contract.ts';
import type { BridgeControl, BridgeCore, OpenControl, PacketInEvent, Sender } from '../core.ts';
import { ActiveConnection } from './connection-active.ts';
import { PassiveConnections } from './connection-passive.ts';
import { Snoops } from './connection-snoop.ts';
import { admits, FailMode } from './fail-mode.ts';
import { InBand, type Remote, remoteOf } from './in-band.ts';
import { OpenFlowSession, type SessionHub } from './openflow-session.ts';

const log = logger('connmgr');

const MANAGEMENT: Omit<ControllerRequest, 'target'> = {
  type: 'service',
  maxBackoffMs: 8000,
  probeIntervalMs: 0,
  rateLimit: 0,
  burstLimit: 0,
  queueLength: 100,
  dscp: 48,
  enableAsync: true,
};

const OPENFLOW_PORT = 6653;
const DATABASE_PORT = 6640;

/** Opens the OpenFlow side of a bridge. */
export const openControl: OpenControl = (core, environment) => new ConnectionManager(core, environment);

/** Kinds of connection that a controller can have. */
const SUPPORTED = /^p?(tcp|ssl|unix):/;

const RANK = { secondary: 0, nochange: 1, equal: 1, primary: 2 } as const;
const rankOf = ({ session }: ActiveConnection): number => RANK[session?.role ?? 'equal'];

export class ConnectionManager implements BridgeControl, SessionHub {
  readonly core: BridgeCore;
  generationId: bigint | undefined;
  fragFlags = 0;
  readonly #environment: SwitchEnvironment;
  readonly #active = new Map<string, ActiveConnection>();
  readonly #passive = new Map<string, PassiveConnections>();
  readonly #sessions = new Set<OpenFlowSession>();
  readonly #snoops: Snoops<ActiveConnection>;
  readonly #failMode: FailMode;
  readonly #inBand: InBand;
  #remotes: readonly Remote[] = [];
  readonly #unsubscribe: () => void;
  #management: PassiveConnections | undefined;
  #wantsMisses = false;
  #versions: string;
  #failModeSetting: string;

  constructor(core: BridgeCore, environment: SwitchEnvironment) {
    this.core = core;
    this.#environment = environment;
    this.#snoops = new Snoops(core, () => this.#snooped());
    this.#inBand = new InBand(core, environment);
    this.#failMode = new FailMode(core, {
      silenceMs: () => Math.min(...this.#primaries().map((c) => c.silenceMs())),
      longestProbeMs: () => Math.max(0, ...this.#primaries().map((c) => c.request.failOpenProbeMs ?? c.request.probeIntervalMs)),
      hasUnadmitted: () => this.#primaries().some((c) => c.isConnected && !c.isAdmitted),
      bogusPacketIn: (frame) => this.#bogusPacketIn(frame),
    });
    this.#versions = core.settings?.versions.join() ?? '';
    this.#failModeSetting = core.settings?.failMode ?? 'standalone';
    this.#unsubscribe = core.subscribe({
      onPacketIn: (event) => this.#packetIn(event),
      onFlowRemoved: (removed) => this.#flowRemoved(removed),
      onPortStatus: (reason, desc, before) => this.#portStatus(reason, desc, before),
      wantsFlowChanges: () => {
        for (const session of this.#sessions) if (session.monitors.count > 0) return true;
        return false;
      },
      onFlowChange: (event) => {
        for (const session of this.#sessions) session.flowChange(event);
      },
      onFlowsSettled: () => {
        for (const session of this.#sessions) session.flowsSettled();
      },
      onGroupMod: (mod, sender) => this.#forward('group', mod, sender),
      onMeterMod: (mod, sender) => this.#forward('meter', mod, sender),
      onTableStatus: (reason, desc) => {
        for (const session of this.#sessions) session.tableStatus(reason, desc);
      },
      onSettings: () => this.#onSettings(),
    });
  }

  controllersSet(requests: readonly ControllerRequest[]): void {
    const hadPrimary = this.hasControllers();
    const wanted = new Map<string, ControllerRequest>();
    for (const request of requests) {
      if (SUPPORTED.test(request.target)) wanted.set(request.target, request);
      else log.warn(`${this.core.name}: unsupported controller "${request.target}"`);
    }
    for (const connection of [...this.#active.values(), ...this.#passive.values()]) {
      const request = wanted.get(connection.target);
      const isOther = request?.type !== connection.request.type && !(connection instanceof ActiveConnection && !connection.isConnected);
      if (request === undefined || isOther) this.#remove(connection);
    }
    for (const request of wanted.values()) {
      const present = this.#active.get(request.target) ?? this.#passive.get(request.target);
      if (present !== undefined) present.configure(request);
      else this.#add(request);
    }
    this.#watch();
    // The flow table belongs to whoever controls the bridge: it starts empty under a controller, and with NORMAL without one.
    if (hadPrimary !== this.hasControllers()) this.core.flushFlows();
    this.#setInBand();
    this.onInterest();
  }

  *controllers(): Iterable<ControllerStatus> {
    for (const connection of this.#active.values()) yield connection.status();
    for (const connection of this.#passive.values()) yield connection.status();
  }

  async listen(): Promise<void> {
    const base = `${this.#environment.runDirectory}/${this.core.name}`;
    this.#management = new PassiveConnections(this.#managementAt(`punix:${base}.mgmt`), this, this.#environment);
    log.info(`${this.core.name}: added service controller "${this.#management.target}"`);
    await Promise.all([this.#management.listen(), this.#snoops.listen(this.#environment, `${base}.snoop`)]);
  }

  #managementAt(target: string): ControllerRequest {
    return { ...MANAGEMENT, target, queueLength: this.core.settings?.queueLength ?? MANAGEMENT.queueLength };
  }

  wantsPacketInOnMiss(): boolean {
    for (const session of this.#sessions) if (session.wantsMisses) return true;
    return false;
  }

  hasControllers(): boolean {
    for (const connection of this.#active.values()) if (connection.request.type === 'primary') return true;
    for (const connection of this.#passive.values()) if (connection.request.type === 'primary') return true;
    return false;
  }

  /** Drops all connections to controllers and opens them again. */
  reconnect(): void {
    for (const connection of this.#active.values()) connection.reconnect();
  }

  close(): Promise<void> {
    this.#unsubscribe();
    this.#failMode.watch(false);
    this.#inBand.close();
    for (const connection of this.#active.values()) connection.close();
    for (const connection of this.#passive.values()) connection.close();
    this.#management?.close();
    this.#snoops.close();
    this.#active.clear();
    this.#passive.clear();
    this.#sessions.clear();
    return Promise.resolve();
  }

  // What sessions tell.

  onOpen(session: OpenFlowSession): void {
    this.#sessions.add(session);
    const active = this.#activeOf(session);
    if (active !== undefined) active.opened();
    else this.#passiveOf(session)?.peers.get(session)?.connected();
    this.onInterest();
  }

  onActivity(session: OpenFlowSession, kind: Message['kind'] | undefined): void {
    const active = this.#activeOf(session);
    if (active === undefined) {
      this.#passiveOf(session)?.peers.get(session)?.activity();
      return;
    }
    const shows = kind !== undefined && admits(kind);
    active.heard(shows);
    if (shows && this.#failMode.isOpen && session.settings.kind === 'primary') this.#failMode.recover();
  }

  onClose(session: OpenFlowSession, reason: string): void {
    this.#sessions.delete(session);
    const active = this.#activeOf(session);
    if (active !== undefined) {
      active.ended(reason);
    } else {
      const passive = this.#passiveOf(session);
      passive?.peers.get(session)?.ended(reason);
      passive?.peers.delete(session);
    }
    this.onInterest();
  }

  onAbandon(session: OpenFlowSession): void {
    this.#sessions.delete(session);
    this.onInterest();
  }

  onPrimary(primary: OpenFlowSession): void {
    for (const session of this.#sessions) {
      if (session === primary || session.role !== 'primary') continue;
      session.demoted(this.generationId ?? 0xffffffffffffffffn);
    }
  }

  onInterest(): void {
    const wants = this.wantsPacketInOnMiss();
    if (wants === this.#wantsMisses) return;
    this.#wantsMisses = wants;
    this.core.controlChanged?.();
  }

  onTraffic(session: OpenFlowSession, bytes: Uint8Array): void {
    if (this.#snoops.isEmpty || session.settings.kind !== 'primary') return;
    const active = this.#activeOf(session);
    if (active !== undefined) this.#snoops.copy(bytes, active);
  }

  // What the bridge tells.

  #packetIn(event: PacketInEvent): void {
    for (const session of this.#sessions) session.packetIn(event);
  }

  /** What a controller changed of groups and meters, told to the others that want to hear. */
  #forward(what: 'group' | 'meter', mod: GroupMod | MeterMod, sender: Sender | undefined): void {
    const xid = sender instanceof OpenFlowSession ? sender.requestXid : 0;
    for (const session of this.#sessions) if (session !== sender) session.requestForward(what, mod, xid);
  }

  #flowRemoved(removed: FlowRemoved): void {
    for (const session of this.#sessions) session.flowRemoved(removed);
  }

  #portStatus(reason: 'add' | 'delete' | 'modify', desc: PortDesc, before: PortDesc | undefined): void {
    for (const session of this.#sessions) session.portStatus(reason, desc, before);
  }

  #onSettings(): void {
    this.#setInBand();
    const { versions, failMode } = this.core.settings;
    if (this.#management !== undefined) this.#management.configure(this.#managementAt(this.#management.target));
    if (failMode !== this.#failModeSetting) {
      this.#failModeSetting = failMode;
      this.#watch();
      if (!this.hasControllers()) this.core.flushFlows();
    }
    const text = versions.join();
    if (text === this.#versions) return;
    const isFirst = this.#versions === '';
    this.#versions = text;
    if (isFirst) return;
    // Connections made under other versions start anew.
    for (const old of [...this.#active.values(), ...this.#passive.values()]) {
      log.info(`${this.core.name}: Changes to controller "${old.target}" expects re-initialization: Re-initializing now.`);
      old.close();
      this.#forget(old);
      this.#add(old.request);
    }
    if (this.#management !== undefined) {
      for (const session of this.#management.peers.keys()) session.close('');
    }
  }

  #add(request: ControllerRequest): void {
    const isPassive = /^(ptcp|pssl|punix):/.test(request.target);
    if (isPassive) {
      const connection = new PassiveConnections(request, this, this.#environment);
      this.#passive.set(request.target, connection);
      void connection.listen();
    } else {
      const connection = new ActiveConnection(request, this, this.#environment);
      this.#active.set(request.target, connection);
      connection.start();
    }
    log.info(`${this.core.name}: added ${request.type} controller "${request.target}"`);
  }

  #remove(connection: ActiveConnection | PassiveConnections): void {
    connection.close();
    this.#forget(connection);
    log.info(`${this.core.name}: removed ${connection.request.type} controller "${connection.target}"`);
  }

  #forget(connection: ActiveConnection | PassiveConnections): void {
    if (connection instanceof ActiveConnection) this.#snoops.release(connection);
    this.#active.delete(connection.target);
    this.#passive.delete(connection.target);
    for (const session of [...this.#sessions]) {
      if (this.#activeOf(session) === undefined && this.#passiveOf(session) === undefined) this.#sessions.delete(session);
    }
  }

  get hasInBand(): boolean {
    return this.#remotes.length > 0;
  }

  #setInBand(): void {
    const controllers = [...this.#active.values()].filter((one) => one.request.inBand === true);
    const remotes = [
      ...controllers.map((one) => remoteOf(one.target, OPENFLOW_PORT)),
      ...(this.core.settings.inBandManagers ?? []).map((target) => remoteOf(target, DATABASE_PORT)),
    ].filter((remote) => remote !== undefined);
    this.#remotes = remotes;
    this.#inBand.set(remotes);
  }

  #watch(): void {
    this.#failMode.watch(this.core.settings.failMode === 'standalone' && this.#primaries().length > 0);
  }

  /** Of the primary controllers the one with the highest role, connected or not. */
  #snooped(): ActiveConnection | undefined {
    let best: ActiveConnection | undefined;
    for (const one of this.#primaries()) if (best === undefined || rankOf(one) >= rankOf(best)) best = one;
    return best;
  }

  #primaries(): ActiveConnection[] {
    return [...this.#active.values()].filter((connection) => connection.request.type === 'primary');
  }

  #activeOf(session: OpenFlowSession): ActiveConnection | undefined {
    for (const connection of this.#active.values()) if (connection.session === session) return connection;
    return undefined;
  }

  #passiveOf(session: OpenFlowSession): PassiveConnections | undefined {
    if (this.#management?.peers.has(session)) return this.#management;
    for (const connection of this.#passive.values()) if (connection.peers.has(session)) return connection;
    return undefined;
  }

  #bogusPacketIn(frame: Uint8Array): void {
    for (const connection of this.#primaries()) if (!connection.isAdmitted) connection.session?.bogusPacketIn(frame);
  }
}
