// Carries out the plan: makes the switch what the database wants, step by step, and remembers what it is.
//
// 1. Removals, new bridges, new ports and changed ports, as `reconcile-plan.ts` lists them. A step that fails is the fault of one
//    interface or one bridge: it is remembered as its error, and the rest goes on.
// 2. For each bridge its address, settings, bundles, controllers, and at last its sockets.
// 3. Addresses and MTUs of devices, and what OpenFlow shows of them.
// Every part compares with what it did before and does nothing when nothing changed; so running it again is cheap and quiet.
import { formatMac } from '../../base/addresses.ts';
import { ConfigError, errorText, KernelError } from '../../base/errors.ts';
import { logger } from '../../base/log.ts';
import type { OfPort } from '../../openflow/action.ts';
import { formatSubfield } from '../../openflow/text/subfield-text.ts';
import type { BridgeSettings, ControllerRequest, PortKind, PortLink, SwitchBridge, SwitchHost } from '../../switch/contract.ts';
import type { DeviceState, DeviceTable } from '../ovs-vswitchd/devices.ts';
import { chooseBridgeMac, macToDatapathId, randomMac, sameMac } from './address.ts';
import { type ActualBridge, dummyBirths, planBundles, planPorts, type Step } from './plan.ts';
import type { Mac, Wanted, WantedBridge, WantedInterface } from './wanted.ts';

const log = logger('bridge');
const netdevLog = logger('netdev');
const vportLog = logger('netdev_vport');
const ofprotoLog = logger('ofproto');

/** A bridge that runs, with what was last given to it. */
export interface LiveBridge extends ActualBridge {
  bridge: SwitchBridge;
  /** The address that the local port was made with. */
  ownMac: Mac;
  mac: Mac;
  datapathId: bigint;
  settings: string;
  mirrors: string;
  flowTables: string;
  controllerRequests: readonly ControllerRequest[];
  isListening: boolean;
  links: Map<OfPort, string>;
}

/** The words after `could not open network device X`. */
function kernelText(error: KernelError): string {
  const text = error.message.slice(error.call.length + 2);
  return error.detail === '' ? text : text.slice(0, -error.detail.length - 3);
}

const toText = (value: unknown): string => JSON.stringify(value, (_, part) => (typeof part === 'bigint' ? `${part}n` : part));

export class Reconciler {
  readonly #host: SwitchHost;
  readonly #devices: DeviceTable;
  readonly #datapathTypes: ReadonlySet<string>;
  /** What marks our internal devices. */
  readonly #owner: string;
  #hasCleaned = false;
  #isStopped = false;
  /** Numbers of ports that went because their device did, to give back. */
  readonly #numbers = new Map<string, OfPort>();
  readonly bridges = new Map<string, LiveBridge>();
  /** Interface name -> why it is not there. */
  readonly errors = new Map<string, string>();
  #mtuRefused = new Map<string, number>();
  /** The MTUs that devices had when links were looked at last, by name. */
  readonly #mtus = new Map<string, number>();
  /** What the bridges are to be, as of the last pass. */
  #targets: ReadonlyMap<string, WantedBridge> = new Map();
  #faults = new Set<string>();
  #settings = '';
  /** Dummy devices that the steps under way will make; they get their addresses once what goes has gone. */
  #births: string[] = [];

  constructor(host: SwitchHost, devices: DeviceTable, datapathTypes: readonly string[], owner: string) {
    this.#owner = owner;
    this.#host = host;
    this.#devices = devices;
    this.#datapathTypes = new Set(datapathTypes);
  }

  /** Makes everything as wanted. Never rejects for a fault of the configuration or of a device. */
  async run(wanted: Wanted): Promise<void> {
    this.#sayFaults(wanted);
    const settings = toText(wanted.settings);
    if (settings !== this.#settings) {
      this.#host.configure(wanted.settings);
      this.#settings = settings;
    }
    this.#clean(wanted);
    for (const bridge of wanted.bridges.values()) {
      for (const { interfaces } of bridge.ports) for (const one of interfaces) one.ofportBefore ??= this.#numbers.get(one.name);
    }
    const steps = planPorts(wanted, this.bridges);
    this.#births = dummyBirths(steps);
    for (const step of steps) {
      if (this.#isStopped) return;
      await this.#step(step, wanted);
    }
    this.#targets = wanted.bridges;
    for (const target of wanted.bridges.values()) {
      const live = this.bridges.get(target.name);
      if (live === undefined) continue;
      this.#configure(target, live);
      this.#setMtus(target, live);
      this.pushLinks(live);
      if (!live.isListening) {
        live.isListening = true;
        await live.bridge
          .listen()
          .catch((error: unknown) => log.err(`bridge ${live.name}: could not open its sockets: ${errorText(error)}`));
      }
    }
    const names = interfaceNames(wanted);
    for (const name of this.errors.keys()) if (!names.has(name)) this.errors.delete(name);
    for (const name of this.#numbers.keys()) if (!names.has(name)) this.#numbers.delete(name);
    for (const name of this.#mtus.keys()) if (!names.has(name)) this.#mtus.delete(name);
  }

  /** The daemon ends: what has been begun is left as it is. */
  stop(): void {
    this.#isStopped = true;
  }

  /** Once, at the start: internal devices that an earlier daemon left and the database no longer has. */
  #clean(wanted: Wanted): void {
    if (this.#hasCleaned) return;
    this.#hasCleaned = true;
    try {
      for (const name of this.#devices.removeLeftovers(this.#owner, interfaceNames(wanted))) log.info(`removed leftover device ${name}`);
    } catch (error) {
      log.warn(`could not remove a leftover device: ${errorText(error)}`);
    }
  }

  /** The device behind a port went away: the port goes too, to come back when the device does. */
  async portGone(name: string): Promise<boolean> {
    for (const live of this.bridges.values()) {
      const port = live.ports.get(name);
      if (port?.kind.kind !== 'system') continue;
      this.#numbers.set(name, port.ofport);
      await this.#portDelete(live, name);
      return true;
    }
    return false;
  }

  /** The live port of that interface. */
  find(name: string): { live: LiveBridge; ofport: OfPort; kind: PortKind } | undefined {
    for (const live of this.bridges.values()) {
      const port = live.ports.get(name);
      if (port !== undefined) return { live, ofport: port.ofport, kind: port.kind };
    }
    return undefined;
  }

  /** Tells OpenFlow what changed of the devices. */
  pushLinks(live: LiveBridge): void {
    let hasOtherMtu = false;
    for (const port of live.ports.values()) {
      const state = this.#devices.state(port.name, port.kind);
      if (state === undefined) continue;
      if (port.kind.kind !== 'internal') {
        hasOtherMtu ||= (this.#mtus.get(port.name) ?? state.mtu) !== state.mtu;
        this.#mtus.set(port.name, state.mtu);
      }
      const link = portLink(state);
      const said = toText(link);
      if (live.links.get(port.ofport) === said) continue;
      live.links.set(port.ofport, said);
      live.bridge.portLink(port.ofport, link);
    }
    const target = this.#targets.get(live.name);
    if (hasOtherMtu && target !== undefined) this.#setMtus(target, live);
  }

  #sayFaults(wanted: Wanted): void {
    const faults = new Set(wanted.faults);
    for (const fault of faults) if (!this.#faults.has(fault)) (fault.startsWith('ignoring') ? log.warn : log.err)(fault);
    this.#faults = faults;
    for (const bridge of wanted.bridges.values()) {
      for (const port of bridge.ports) {
        for (const one of port.interfaces) if (one.error !== '' || one.warnings.length > 0) this.#sayFault(one);
      }
    }
  }

  #sayFault(one: WantedInterface): void {
    if (one.error === '') {
      for (const warning of one.warnings) (one.kind === undefined ? log : vportLog).warn(warning);
      return;
    }
    this.errors.set(one.name, one.error);
    if (one.error.startsWith('could not open')) {
      for (const warning of one.warnings) netdevLog.warn(warning);
      log.warn(one.error);
    } else {
      if (one.type === 'patch') vportLog.err(one.error);
      else vportLog.warn(one.error);
      netdevLog.warn(`${one.name}: could not set configuration (Invalid argument)`);
    }
  }

  async #step(step: Step, wanted: Wanted): Promise<void> {
    if (step.kind === 'bridgeAdd') {
      this.#bridgeAdd(step.bridge, step.datapathType, wanted.bridges.get(step.bridge));
      return;
    }
    const live = this.bridges.get(step.bridge);
    if (live === undefined) return;
    switch (step.kind) {
      case 'bridgeDelete':
        await this.bridgeDelete(live);
        break;
      case 'bundleDelete':
        live.bundles.delete(step.bundle);
        live.bridge.bundleDelete(step.bundle);
        break;
      case 'portDelete':
        await this.#portDelete(live, step.port);
        break;
      case 'portChange':
        await this.#portChange(live, step.port, step.portKind);
        break;
      case 'portAdd':
        for (const name of this.#births) this.#devices.dummyBorn(name);
        this.#births = [];
        await this.#portAdd(live, step.wanted, step.ofportRequest);
    }
  }

  #bridgeAdd(name: string, datapathType: string, wanted: WantedBridge | undefined): void {
    if (wanted === undefined) return;
    let bridge: SwitchBridge;
    try {
      if (!this.#datapathTypes.has(datapathType)) {
        ofprotoLog.warn(`unknown datapath type ${datapathType}`);
        ofprotoLog.warn(`could not create datapath ${name} of unknown type ${datapathType}`);
        throw new ConfigError('Address family not supported by protocol');
      }
      bridge = this.#host.bridgeAdd(name, datapathType);
    } catch (error) {
      log.err(`failed to create bridge ${name}: ${error instanceof KernelError ? kernelText(error) : errorText(error)}`);
      return;
    }
    const local = wanted.ports[0]?.interfaces[0];
    const ownMac = this.#formerMac(name, local) ?? randomMac();
    const mac = wanted.hwaddr ?? ownMac;
    const live: LiveBridge = {
      name,
      datapathType,
      ports: new Map(),
      bundles: new Map(),
      bridge,
      ownMac,
      mac,
      datapathId: 0n,
      settings: '',
      mirrors: '[]',
      flowTables: '[]',
      controllerRequests: [],
      isListening: false,
      links: new Map(),
    };
    this.bridges.set(name, live);
    // Ports may only be added to a bridge that knows what it is.
    bridge.configure(this.#settingsOf(wanted, mac));
  }

  /** Takes a bridge away with all that belongs to it. */
  async bridgeDelete(live: LiveBridge): Promise<void> {
    for (const name of [...live.ports.keys()]) await this.#portDelete(live, name);
    this.bridges.delete(live.name);
    try {
      await live.bridge.close();
    } catch (error) {
      log.warn(`bridge ${live.name}: ${errorText(error)}`);
    }
  }

  async #portDelete(live: LiveBridge, name: string): Promise<void> {
    const port = live.ports.get(name);
    if (port === undefined) return;
    live.ports.delete(name);
    live.links.delete(port.ofport);
    this.#devices.forget(name);
    try {
      await live.bridge.portDelete(port.ofport);
    } catch (error) {
      log.warn(`bridge ${live.name}: deleting interface ${name}: ${errorText(error)}`);
    }
  }

  async #portChange(live: LiveBridge, name: string, kind: PortKind): Promise<void> {
    const port = live.ports.get(name);
    if (port === undefined) return;
    try {
      await live.bridge.portChange(port.ofport, kind);
      port.kind = kind;
      this.errors.delete(name);
    } catch (error) {
      this.#fail(name, error);
      await this.#portDelete(live, name);
    }
  }

  async #portAdd(live: LiveBridge, wanted: WantedInterface, ofportRequest: OfPort | undefined): Promise<void> {
    if (wanted.kind === undefined) return;
    const { name } = wanted;
    const isLocal = name === live.name;
    let kind = wanted.kind;
    if (kind.kind === 'internal') {
      kind = { kind: 'internal', mac: isLocal ? live.mac : (wanted.mac ?? this.#formerMac(name, wanted)), mtu: wanted.mtuRequest };
    }
    try {
      const link = (): PortLink | undefined => {
        if (kind.kind === 'internal' && !this.#devices.exists(name)) this.#devices.poll();
        const state = this.#devices.state(name, kind);
        return state === undefined ? undefined : portLink(state);
      };
      const ofport = await live.bridge.portAdd({ name, port: kind, ofportRequest, link });
      live.ports.set(name, { name, ofport, type: wanted.type, kind });
      this.errors.delete(name);
      this.#numbers.delete(name);
      // A TAP device that was made just now is not in the table yet.
      if (kind.kind === 'internal') {
        if (!this.#devices.exists(name)) this.#devices.poll();
        if (this.#devices.exists(name)) this.#devices.mark(name, this.#owner);
      }
    } catch (error) {
      this.#fail(name, error);
    }
  }

  #fail(name: string, error: unknown): void {
    const text = error instanceof KernelError ? `could not open network device ${name} (${kernelText(error)})` : errorText(error);
    this.errors.set(name, text);
    log.warn(text);
    if (!(error instanceof KernelError) && !(error instanceof ConfigError)) log.err(String((error as Error).stack));
  }

  /** The address that an internal device has since an earlier daemon, or that the database remembers, if we gave it out. */
  #formerMac(name: string, wanted: WantedInterface | undefined): Mac | undefined {
    const standing = this.#devices.state(name, { kind: 'internal', mac: undefined, mtu: undefined })?.mac;
    return [standing, wanted?.macBefore].find((mac) => mac !== undefined && (mac[0] & 0x03000000) === 0x02000000);
  }

  #settingsOf(target: WantedBridge, mac: Mac): BridgeSettings {
    return {
      datapathId: target.datapathId ?? macToDatapathId(mac),
      failMode: target.failMode,
      versions: target.versions,
      dpDescription: target.dpDescription,
      serialNumber: target.serialNumber,
      macAgingSec: target.macAgingSec,
      macTableSize: target.macTableSize,
      forwardBpdu: target.forwardBpdu,
      floodVlans: target.floodVlans,
      localMac: mac,
      inBandManagers: target.inBandManagers,
      inBandQueue: target.inBandQueue,
      queueLength: target.queueLength,
    };
  }

  #configure(target: WantedBridge, live: LiveBridge): void {
    const deviceMac = (name: string): Mac | undefined => {
      const port = live.ports.get(name);
      return port === undefined ? undefined : this.#devices.state(name, port.kind)?.mac;
    };
    const mac = chooseBridgeMac(target, deviceMac, live.ownMac);
    this.#applyMac(live, live.name, mac);
    // After the choice: what Interface:mac says of a port is the bridge's address no sooner than at the next configuration, as in the reference.
    this.#setMacs(target, live);
    live.mac = mac;
    const settings = this.#settingsOf(target, mac);
    const said = toText(settings);
    if (said !== live.settings) {
      live.bridge.configure(settings);
      live.settings = said;
    }
    if (settings.datapathId !== live.datapathId) {
      live.datapathId = settings.datapathId;
      log.info(`bridge ${live.name}: using datapath ID ${settings.datapathId.toString(16).padStart(16, '0')}`);
    }
    for (const step of planBundles(target, live)) {
      if (step.kind === 'bundleSet') {
        live.bridge.bundleSet(step.request);
        live.bundles.set(step.request.name, step.request);
      } else {
        live.bridge.bundleDelete(step.bundle);
        live.bundles.delete(step.bundle);
      }
    }
    const controllers = target.controllers.map((one) => one.request);
    const mirrors = target.mirrors.map((one) => one.request);
    const mirrorsText = toText(mirrors);
    if (mirrorsText !== live.mirrors) {
      live.mirrors = mirrorsText;
      live.bridge.mirrorsSet?.(mirrors);
    }
    this.#limitTables(target, live);
    // Each time: connections made since the last take their settings now, as in the reference.
    live.controllerRequests = controllers;
    live.bridge.controllersSet(controllers);
  }

  #limitTables(target: WantedBridge, live: LiveBridge): void {
    const rows = [...target.flowTables];
    const said = toText(rows.map(([id, { request }]) => [id, { ...request, groups: request.groups.map(formatSubfield) }]));
    if (said === live.flowTables) return;
    live.flowTables = said;
    for (const [, { warnings, notes }] of rows) {
      for (const warning of warnings) log.warn(warning);
      for (const note of notes) log.info(note);
    }
    live.bridge.flowTablesSet?.(new Map(rows.map(([id, { request }]) => [id, request])));
  }

  /** Interface:mac of internal ports; a fake bridge without one has the address that the bridge was made with. */
  #setMacs(target: WantedBridge, live: LiveBridge): void {
    for (const port of target.ports) {
      for (const one of port.interfaces) {
        if (one.mac === undefined && port.fakeBridge) this.#applyMac(live, one.name, live.ownMac);
        if (one.mac !== undefined && one.name !== live.name && one.type !== 'system' && one.type !== 'dummy')
          this.#applyMac(live, one.name, one.mac);
      }
    }
  }

  #applyMac(live: LiveBridge, name: string, mac: Mac): void {
    const port = live.ports.get(name);
    if (port === undefined || (port.kind.kind !== 'internal' && port.kind.kind !== 'dummy')) return;
    const present = this.#devices.state(name, port.kind)?.mac;
    if (present === undefined || sameMac(present, mac)) return;
    try {
      this.#devices.setMac(name, port.kind, mac);
    } catch (error) {
      log.err(`interface ${name}: setting MAC to ${formatMac(mac[0], mac[1])} failed (${errorText(error)})`);
    }
  }

  /** mtu_request, and for internal devices without one the smallest MTU among the others. */
  #setMtus(target: WantedBridge, live: LiveBridge): void {
    const wanted = target.ports.flatMap((port) => port.interfaces);
    let smallest = Number.POSITIVE_INFINITY;
    for (const one of wanted) {
      const port = live.ports.get(one.name);
      // An internal device counts only if someone asked for its MTU.
      if (port === undefined || (port.kind.kind === 'internal' && one.mtuRequest === undefined)) continue;
      if (one.mtuRequest !== undefined) this.#applyMtu(live, one.name, one.mtuRequest);
      const mtu = this.#devices.state(one.name, port.kind)?.mtu ?? 0;
      if (mtu > 0) smallest = Math.min(smallest, mtu);
    }
    for (const one of wanted) {
      if (live.ports.get(one.name)?.kind.kind !== 'internal') continue;
      this.#applyMtu(live, one.name, one.mtuRequest ?? (Number.isFinite(smallest) ? smallest : 1500));
    }
  }

  #applyMtu(live: LiveBridge, name: string, mtu: number): void {
    const port = live.ports.get(name);
    const present = port === undefined ? undefined : this.#devices.state(name, port.kind)?.mtu;
    if (port === undefined || present === undefined || present === mtu || present === 0) return;
    // What the kernel refused once is not asked again until it changes.
    if (this.#mtuRefused.get(name) === mtu) return;
    try {
      this.#devices.setMtu(name, port.kind, mtu);
      this.#mtuRefused.delete(name);
    } catch (error) {
      this.#mtuRefused.set(name, mtu);
      netdevLog.warn(
        `failed to set MTU for network device ${name}: ${error instanceof KernelError ? kernelText(error) : errorText(error)}`,
      );
    }
  }
}

function interfaceNames(wanted: Wanted): Set<string> {
  const names = new Set<string>();
  for (const bridge of wanted.bridges.values()) for (const port of bridge.ports) for (const one of port.interfaces) names.add(one.name);
  return names;
}

function portLink(state: DeviceState): PortLink {
  const { mac, isUp, hasCarrier, speedKbps, current, advertised, supported, peer, mtu } = state;
  return { mac, isUp, hasCarrier, speedKbps, current, advertised, supported, peer, mtu };
}
