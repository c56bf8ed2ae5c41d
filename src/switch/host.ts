// All bridges of a process, and the datapaths that they share.
import { ConfigError } from '../base/errors.ts';
import type { Datapath, FlowId, UserspaceCookie } from '../datapath/datapath.ts';
import { setVlanLimit } from '../flow/extract.ts';
import { type Key, matchAll, W } from '../flow/key.ts';
import { OFPP } from '../openflow/action.ts';
import { Bridge } from './bridge.ts';
import type { DpIngress, SwitchEnvironment, SwitchHost } from './contract.ts';
import { openControl } from './control/connection-manager.ts';
import { formatCookie } from './control/send-store.ts';
import type { OpenControl } from './core.ts';
import { Megaflows } from './megaflows.ts';
import type { SwitchPort } from './ports.ts';
import { hasOuter } from './translate/trace-text.ts';
import type { Underlay } from './underlay/underlay.ts';

interface Shared {
  type: string;
  megaflows: Megaflows;
  users: number;
}

/** The switch. */
export class Host implements SwitchHost {
  readonly environment: SwitchEnvironment;
  readonly #bridges = new Map<string, Bridge>();
  readonly #shared = new Map<string, Shared>();
  readonly #openControl: OpenControl;
  #maxIdleMs = 10_000;
  #flowLimit = 200_000;
  #flowLimitSet: number | undefined;
  #hasMegaflows = true;
  #vlanLimit = 1;
  readonly #underlayListeners = new Set<() => void>();
  #isHolding = false;
  #keepsDevices = false;

  constructor(environment: SwitchEnvironment, control: OpenControl = openControl) {
    this.environment = environment;
    this.#openControl = control;
  }

  bridgeAdd(name: string, datapathType: string): Bridge {
    if (this.#bridges.has(name)) throw new ConfigError(`bridge ${name} exists`);
    const shared = this.#open(datapathType);
    shared.users++;
    const bridge = new Bridge(name, {
      environment: this.environment,
      megaflows: shared.megaflows,
      openControl: this.#openControl,
      // Patch ports of one datapath type see each other.
      portNamed: (wanted) => this.#portNamed(wanted, shared.megaflows),
      closed: async (closed) => {
        this.#bridges.delete(closed.name);
        shared.megaflows.changed();
        if (--shared.users > 0) return;
        this.#shared.delete(shared.type);
        shared.megaflows.close(this.#keepsDevices);
        await shared.megaflows.datapath.close(this.#keepsDevices);
      },
    });
    this.#bridges.set(name, bridge);
    return bridge;
  }

  #open(type: string): Shared {
    let shared = this.#shared.get(type);
    if (shared === undefined) {
      const datapath = this.environment.openDatapath(type);
      const megaflows = new Megaflows(datapath, this.environment.clock, (packetIn) => {
        this.#bridges.get(packetIn.send.bridge.name)?.core.packetIn(packetIn);
      });
      shared = { type, megaflows, users: 0 };
      this.#shared.set(type, shared);
      megaflows.maxIdleMs = this.#maxIdleMs;
      megaflows.flowLimit = this.#flowLimitSet ?? this.#flowLimit;
      megaflows.isExact = !this.#hasMegaflows;
      const { underlay } = this.environment;
      // Where the kernel forwards, its own tunnels are meant, and they are not listed.
      if (underlay !== undefined && (type !== 'system' || datapath.isSimulated === true)) {
        megaflows.underlay = underlay;
        datapath.setSourcePorts?.(underlay.sourcePorts.low, underlay.sourcePorts.high);
      }
      if (underlay !== undefined && datapath.isSimulated === true) this.#makeNative(megaflows, underlay);
      if (this.#isHolding) megaflows.hold();
      datapath.setVlanLimit?.(this.#vlanLimit);
    }
    return shared;
  }

  /** Tunnels of a simulated datapath go by way of its own bridges. */
  #makeNative(megaflows: Megaflows, underlay: Underlay): void {
    megaflows.native = {
      underlay,
      portNamed: (device) => this.#portNamed(device, megaflows),
      send: (port, frame) => {
        const match = matchAll();
        match.key[W.IN_PORT] = port.port;
        match.mask[W.IN_PORT] = 0xffff;
        const actions = [{ kind: 'output', port: OFPP.TABLE, maxLen: 0 } as const];
        this.#bridges.get(port.bridge.name)?.core.packetOut({ frame, match, actions });
      },
    };
    this.#underlayListeners.add(() => megaflows.changed());
    const tell = (): void => {
      for (const listener of this.#underlayListeners) listener();
    };
    underlay.routes.onChange = tell;
    underlay.neighbors.onChange = tell;
  }

  #portNamed(name: string, megaflows: Megaflows): SwitchPort | undefined {
    for (const bridge of this.#bridges.values()) {
      if (bridge.core.megaflows !== megaflows) continue;
      const number = bridge.portNamed(name);
      if (number !== undefined) return bridge.core.ports.get(number);
    }
    return undefined;
  }

  bridge(name: string): Bridge | undefined {
    return this.#bridges.get(name);
  }

  bridges(): Iterable<Bridge> {
    return this.#bridges.values();
  }

  *datapaths(): Generator<Datapath> {
    const shared = [...this.#shared.values()].sort((a, b) => (a.type < b.type ? -1 : 1));
    for (const { megaflows } of shared) yield megaflows.datapath;
  }

  configure(settings: { maxIdleMs: number; flowLimit: number; maxRevalidatorMs: number; vlanLimit: number }): void {
    this.#maxIdleMs = settings.maxIdleMs;
    this.#flowLimit = settings.flowLimit;
    this.#flowLimitSet = undefined;
    for (const { megaflows } of this.#shared.values()) {
      megaflows.maxIdleMs = settings.maxIdleMs;
      megaflows.flowLimit = settings.flowLimit;
    }
    if (settings.vlanLimit === this.#vlanLimit) return;
    this.#vlanLimit = settings.vlanLimit;
    setVlanLimit(settings.vlanLimit);
    for (const { megaflows } of this.#shared.values()) {
      megaflows.datapath.setVlanLimit?.(settings.vlanLimit);
      // What was translated before was keyed otherwise.
      megaflows.flush();
    }
  }

  get vlanLimit(): number {
    return this.#vlanLimit === 1 ? 1 : 2;
  }

  setFlowLimit(limit: number): void {
    this.#flowLimitSet = limit;
    for (const { megaflows } of this.#shared.values()) megaflows.flowLimit = limit;
  }

  get flowLimitSet(): number | undefined {
    return this.#flowLimitSet;
  }

  setMegaflows(enabled: boolean): void {
    this.#hasMegaflows = enabled;
    for (const { megaflows } of this.#shared.values()) {
      megaflows.isExact = !enabled;
      megaflows.flush();
    }
  }

  ingress(datapath: Datapath, key: Key): DpIngress {
    const shared = [...this.#shared.values()].find(({ megaflows }) => megaflows.datapath === datapath);
    if (shared === undefined) return 'port';
    const { sends } = shared.megaflows;
    const recircId = key[W.RECIRC_ID]!;
    const frozen = recircId === 0 ? undefined : sends.recirculations.get(recircId);
    if (recircId !== 0 && frozen === undefined) return 'recirculation';
    const found = frozen === undefined ? shared.megaflows.ports.ingress(key) : undefined;
    const isTunnelled = hasOuter(key);
    const name = frozen?.bridge.name ?? (found?.isTunnelled === isTunnelled ? found.port.bridge.name : undefined);
    const bridge = name === undefined ? undefined : this.#bridges.get(name);
    if (bridge === undefined) return isTunnelled ? 'tunnel' : 'port';
    return { bridge, port: frozen === undefined ? found!.port.port : frozen.key[W.IN_PORT]! };
  }

  upcallStats(datapath: Datapath): { average: number; most: number; passMs: number } {
    for (const { megaflows } of this.#shared.values()) if (megaflows.datapath === datapath) return megaflows.passes;
    return { average: 0, most: 0, passMs: 0 };
  }

  flowDeleted(datapath: Datapath, id: FlowId): void {
    for (const { megaflows } of this.#shared.values()) if (megaflows.datapath === datapath) megaflows.forget(id);
  }

  portRenumbered(datapath: Datapath, from: number, to: number): void {
    for (const { megaflows } of this.#shared.values()) if (megaflows.datapath === datapath) megaflows.portRenumbered(from, to);
  }

  get flowLimit(): number {
    return this.#flowLimit;
  }

  purge(): void {
    for (const { megaflows } of this.#shared.values()) megaflows.flush();
  }

  setPaused(isPaused: boolean): void {
    for (const { megaflows } of this.#shared.values()) megaflows.setPaused(isPaused);
  }

  settle(): void {
    for (const { megaflows } of this.#shared.values()) {
      megaflows.settleAll();
      megaflows.revalidateNow();
    }
  }

  async caughtUp(limitMs: number): Promise<void> {
    await Promise.all([...this.#shared.values()].map(({ megaflows }) => megaflows.caughtUp(limitMs)));
  }

  cookieText(datapath: Datapath, cookie: UserspaceCookie): string {
    for (const { megaflows } of this.#shared.values()) {
      if (megaflows.datapath === datapath) return formatCookie(megaflows.sends, cookie);
    }
    return cookie.reason;
  }

  hold(): void {
    this.#isHolding = true;
    for (const { megaflows } of this.#shared.values()) megaflows.hold();
  }

  takeOver(): void {
    this.#isHolding = false;
    for (const { megaflows } of this.#shared.values()) megaflows.takeOver();
  }

  async close(keepDevices = false, goesOn?: () => void): Promise<void> {
    this.#keepsDevices = keepDevices;
    for (const bridge of [...this.#bridges.values()]) await bridge.close(keepDevices, goesOn);
  }
}

/** Makes a switch without bridges. */
export const openSwitchHost = (environment: SwitchEnvironment): SwitchHost => new Host(environment);
