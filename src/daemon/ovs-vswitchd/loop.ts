// The life of the switch daemon: the database says what should be, the switch becomes it, and what came of it is written back.
//
// One turn at a time; whatever happens during a turn makes another one afterwards, so nothing is missed and nothing overlaps:
// 1. Without the lock, or while another process has it, the switch is empty and the daemon waits.
// 2. If the wanted configuration differs from what was last carried out, or a missing device has appeared, reconcile.
// 3. Write status columns, and `cur_cfg` once the configuration it counts has been carried out. Only differences are written, so the
//    turn that our own writes cause finds nothing to do: that is why this never runs hot.

import { formatMac } from '../../base/addresses.ts';
import type { Clock } from '../../base/clock.ts';
import { coverageCounter } from '../../base/coverage.ts';
import { errorText } from '../../base/errors.ts';
import { logger } from '../../base/log.ts';
import { OPEN_VSWITCH_VERSION } from '../../base/version.ts';
import type { Idl } from '../../ovsdb/client/idl.ts';
import type { PortKind, SwitchHost } from '../../switch/contract.ts';
import type { LiveBridge, Reconciler } from '../reconcile/reconcile.ts';
import { readWanted, type Wanted, type WantedBridge, type WantedOptions } from '../reconcile/wanted.ts';
import type { DeviceTable } from './devices.ts';
import {
  absentInterface,
  type Columns,
  controllerColumns,
  mirrorColumns,
  portStatistics,
  presentInterface,
  StatusWriter,
} from './status.ts';

const log = logger('bridge');
/** How often controllers are looked at. */
const CONTROLLER_INTERVAL_MS = 500;
/** Device events in a burst make one turn. */
const DEVICE_DELAY_MS = 20;
const RETRY_MS = 1000;
/** A configuration counts as carried out when frames meet it, or after this long. */
const CATCH_UP_MS = 500;

export interface LoopParts {
  host: Pick<SwitchHost, 'hold' | 'takeOver' | 'caughtUp' | 'datapaths' | 'purge'>;
  idl: Idl;
  clock: Clock;
  reconciler: Reconciler;
  devices: DeviceTable;
  wantedOptions: WantedOptions;
  datapathTypes: readonly string[];
  interfaceTypes: readonly string[];
  /** Interface:status of a tunnel: which device its frames leave by. */
  tunnelEgress(options: ReadonlyMap<string, string>): ReadonlyMap<string, string>;
  /** Called whenever a configuration has been carried out. */
  onConfigured?(): void;
  /** Called once, when the first configuration stands. */
  onReady(): void;
}

/** The configuration without what we write ourselves, as text to compare. */
function fingerprint(wanted: Wanted): string {
  return (
    JSON.stringify(wanted.bridges.size === 0 ? [] : [...wanted.bridges.values()], (key, value) => {
      if (key === 'row' || key === 'ofportBefore' || key === 'macBefore') return undefined;
      if (typeof value === 'bigint') return `${value}n`;
      if (value instanceof Map) return [...value];
      return value;
    }) + JSON.stringify([wanted.settings, wanted.faults, wanted.isRestoring])
  );
}

export class ConfigurationLoop {
  readonly #parts: LoopParts;
  #wanted: Wanted | undefined;
  #carriedOut: string | undefined;
  #isTurning = false;
  #isDirty = false;
  #isForced = false;
  #needsStatistics = false;
  #isReady = false;
  #isDisabled = false;
  #isStopped = false;
  /** Interfaces whose device was not there, or refused, with the device's index then. */
  readonly #missing = new Map<string, number | undefined>();
  readonly #timers = new Set<() => void>();
  #deviceDelay: (() => void) | undefined;
  #turnDone: Promise<void> = Promise.resolve();
  readonly #stopListening: (() => void)[] = [];

  constructor(parts: LoopParts) {
    this.#parts = parts;
  }

  start(): void {
    const { idl, devices } = this.#parts;
    this.#stopListening.push(idl.onChange(() => this.wake()));
    this.#stopListening.push(devices.onChange((names) => this.#devicesChanged(names)));
    this.#every(CONTROLLER_INTERVAL_MS, () => {
      for (const live of this.#parts.reconciler.bridges.values()) if (live.controllerRequests.length > 0) return this.wake();
    });
    this.#scheduleStatistics();
    this.wake();
  }

  /** Makes a turn happen soon. */
  wake(isForced = false): void {
    this.#isDirty = true;
    this.#isForced ||= isForced;
    if (this.#isTurning || this.#isStopped) return;
    this.#isTurning = true;
    this.#turnDone = new Promise((resolve) => {
      setImmediate(() => void this.#run().finally(resolve));
    });
  }

  /** No more turns; resolves when the present one has ended. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#parts.reconciler.stop();
    for (const stop of this.#stopListening) stop();
    for (const cancel of this.#timers) cancel();
    this.#deviceDelay?.();
    await this.#turnDone;
  }

  #after(ms: number, fn: () => void): void {
    const cancel = this.#parts.clock.after(ms, () => {
      this.#timers.delete(cancel);
      fn();
    });
    this.#timers.add(cancel);
  }

  #every(ms: number, fn: () => void): void {
    this.#after(ms, () => {
      fn();
      this.#every(ms, fn);
    });
  }

  #scheduleStatistics(): void {
    this.#after(this.#wanted?.statsIntervalMs ?? 5000, () => {
      this.#needsStatistics = true;
      this.wake();
      this.#scheduleStatistics();
    });
  }

  #devicesChanged(names: ReadonlySet<string>): void {
    const { reconciler, devices } = this.#parts;
    let isForced = false;
    for (const name of names) {
      if (this.#missing.has(name) && devices.exists(name) && this.#missing.get(name) !== devices.index(name)) isForced = true;
      const port = reconciler.find(name);
      if (port?.kind.kind === 'system' && (!devices.exists(name) || this.#indices.get(name) !== devices.index(name))) isForced = true;
    }
    this.#isForced ||= isForced;
    // A dummy changes because somebody asked for it, and never in bursts: OpenFlow hears of it at once.
    const dummies = [...names].map((name) => reconciler.find(name)).filter((port) => port?.kind.kind === 'dummy');
    for (const port of dummies) if (port !== undefined) reconciler.pushLinks(port.live);
    if (dummies.length > 0) {
      this.wake();
      return;
    }
    if (this.#deviceDelay !== undefined) return;
    this.#deviceDelay = this.#parts.clock.after(DEVICE_DELAY_MS, () => {
      this.#deviceDelay = undefined;
      this.#followMoves();
      this.wake();
    });
  }

  /** Internal ports may have gone to other namespaces, or come back. All are looked at, so once for a burst of changes. */
  #followMoves(): void {
    const { host } = this.#parts;
    let isMoved = false;
    for (const datapath of host.datapaths()) isMoved = datapath.devicesMoved?.() === true || isMoved;
    if (isMoved) host.purge?.();
  }

  /** The kernel's index of each system port's device when it was opened. */
  readonly #indices = new Map<string, number | undefined>();

  async #run(): Promise<void> {
    try {
      while (this.#isDirty && !this.#isStopped) {
        this.#isDirty = false;
        await this.#turn();
      }
    } catch (error) {
      log.err(`internal error: ${error instanceof Error ? error.stack : errorText(error)}`);
      this.#after(RETRY_MS, () => this.wake(true));
    } finally {
      this.#isTurning = false;
      if (this.#isDirty && !this.#isStopped) this.wake();
    }
  }

  async #turn(): Promise<void> {
    const { idl, reconciler, wantedOptions } = this.#parts;
    if (!idl.hasContent) return;
    if (idl.isLockContended) {
      if (!this.#isDisabled) {
        log.err(`another ovs-vswitchd process is running, disabling this process (pid ${process.pid}) until it goes away`);
        this.#isDisabled = true;
        for (const live of [...reconciler.bridges.values()]) await reconciler.bridgeDelete(live);
        this.#carriedOut = undefined;
      }
      return;
    }
    if (!idl.hasLock) return;
    this.#isDisabled = false;
    const wanted = readWanted(idl, wantedOptions);
    const isForced = this.#isForced;
    this.#isForced = false;
    const print = fingerprint(wanted);
    this.#wanted = wanted;
    const isNew = print !== this.#carriedOut;
    if (isNew || isForced) {
      await this.#dropVanished();
      coverageCounter('bridge_reconfigure').total++;
      if (!this.#isReady || wanted.isRestoring) this.#parts.host.hold?.();
      await reconciler.run(wanted);
      // Half of it stands: what a predecessor left is not to be judged by that.
      if (this.#isStopped) return;
      if (!wanted.isRestoring) this.#parts.host.takeOver?.();
      await this.#parts.host.caughtUp?.(CATCH_UP_MS);
      this.#parts.onConfigured?.();
      this.#carriedOut = print;
      this.#remember(wanted);
    } else {
      for (const live of reconciler.bridges.values()) reconciler.pushLinks(live);
    }
    await this.#writeStatus(wanted, isNew);
    if (!this.#isReady) {
      this.#isReady = true;
      this.#parts.onReady();
      // A terminal that the daemon has let go of does not hear it.
      log.info(`ovs-vswitchd (Open vSwitch) ${OPEN_VSWITCH_VERSION}`);
    }
  }

  async #dropVanished(): Promise<void> {
    const { reconciler, devices } = this.#parts;
    for (const live of reconciler.bridges.values()) {
      for (const port of [...live.ports.values()]) {
        if (port.kind.kind !== 'system' || !this.#indices.has(port.name)) continue;
        if (devices.index(port.name) !== this.#indices.get(port.name)) await reconciler.portGone(port.name);
      }
    }
  }

  #remember(wanted: Wanted): void {
    const { reconciler, devices } = this.#parts;
    this.#missing.clear();
    this.#indices.clear();
    for (const bridge of wanted.bridges.values()) {
      for (const { interfaces } of bridge.ports) {
        for (const { name, kind } of interfaces) {
          if (kind?.kind !== 'system') continue;
          if (reconciler.find(name) === undefined) this.#missing.set(name, devices.index(name));
          else this.#indices.set(name, devices.index(name));
        }
      }
    }
  }

  /** Statistics are written when it is time, and before that only of what has none yet: reading those of all ports costs by their number. */
  async #writeStatus(wanted: Wanted, isNew: boolean): Promise<void> {
    const { idl, reconciler, devices, datapathTypes, interfaceTypes } = this.#parts;
    const withStatistics = this.#needsStatistics;
    if (withStatistics) {
      devices.refresh();
      this.#needsStatistics = false;
    }
    const writer = new StatusWriter(
      () => idl.begin(),
      (row) => idl.row(row.table, row.uuid) !== undefined,
    );
    for (const bridge of wanted.bridges.values()) {
      const live = reconciler.bridges.get(bridge.name);
      if (live === undefined) continue;
      writer.put(bridge.row, {
        datapath_id: [live.datapathId.toString(16).padStart(16, '0')],
        datapath_version: '<built-in>',
      });
      for (const port of bridge.ports) {
        for (const { row, name } of port.interfaces) {
          const isFirst = isNew && row !== undefined && row.map('statistics').size === 0;
          writer.put(row, this.#interfaceColumns(bridge, live, name, wanted, withStatistics || isFirst));
        }
      }
      const bonds = new Map([...(live.bridge.bonds?.() ?? [])].map((found) => [found.bond.name, found]));
      for (const port of bridge.ports) {
        const found = bonds.get(port.name);
        const active = found?.bond.active === undefined ? undefined : found.mac(found.bond.active.name);
        if (port.row !== undefined)
          writer.put(port.row, { bond_active_slave: active === undefined ? [] : [formatMac(active[0], active[1])] });
      }
      const statuses = new Map([...live.bridge.controllers()].map((status) => [status.target, status]));
      for (const { row, request } of bridge.controllers) writer.put(row, controllerColumns(statuses.get(request.target)));
      if (!withStatistics && !isNew) continue;
      for (const { row, request } of bridge.mirrors) writer.put(row, mirrorColumns(live.bridge.mirrorCounters?.(request.name)));
    }
    if (wanted.root !== undefined) {
      writer.put(wanted.root, {
        cur_cfg: wanted.root.scalar('next_cfg'),
        datapath_types: [...datapathTypes],
        iface_types: [...interfaceTypes],
        dpdk_initialized: false,
        dpdk_version: ['none'],
      });
    }
    const { transaction } = writer;
    if (transaction === undefined) return;
    const result = await transaction.commit();
    coverageCounter(`txn_${result.status.replaceAll(' ', '_')}`).total++;
    if (result.status === 'error') {
      log.warn(`could not write status to the database: ${result.error}`);
      this.#after(RETRY_MS, () => this.wake());
    } else if (result.status === 'try again' || result.status === 'aborted') {
      this.#isDirty = true;
    }
  }

  #interfaceColumns(bridge: WantedBridge, live: LiveBridge, name: string, wanted: Wanted, withStatistics: boolean): Columns {
    const { reconciler, devices } = this.#parts;
    const port = live.ports.get(name);
    if (port === undefined) return absentInterface(reconciler.errors.get(name) ?? '');
    const { kind, ofport } = port;
    const error = kind.kind === 'patch' ? peerError(bridge, name, kind.peer, wanted) : '';
    const egress = kind.kind === 'tunnel' ? this.#parts.tunnelEgress(kind.options) : new Map<string, string>();
    const columns = presentInterface(ofport, error, kind, devices.state(name, kind), egress);
    if (withStatistics) columns['statistics'] = this.#statistics(live, name, kind, ofport);
    return columns;
  }

  #statistics(live: LiveBridge, name: string, kind: PortKind, ofport: number): ReadonlyMap<string, bigint> {
    const kernel = kind.kind === 'system' || kind.kind === 'internal' ? this.#parts.devices.kernelStatistics(name, kind) : undefined;
    const counters = live.bridge.portCounters(ofport);
    if (kernel === undefined) return portStatistics(kind, counters);
    if (kind.kind !== 'internal' || counters === undefined) return kernel;
    // What a program takes at an internal device, or hands to it, is not counted by the device.
    const { rxPackets, rxBytes, txPackets, txBytes } = counters;
    return new Map([...kernel, ['rx_packets', rxPackets], ['rx_bytes', rxBytes], ['tx_packets', txPackets], ['tx_bytes', txBytes]]);
  }
}

/** A patch port needs another that names it, on a bridge of the same datapath. */
function peerError(bridge: WantedBridge, name: string, peer: string, wanted: Wanted): string {
  for (const other of wanted.bridges.values()) {
    if (other.datapathType !== bridge.datapathType) continue;
    for (const port of other.ports) {
      for (const one of port.interfaces) if (one.name === peer && one.kind?.kind === 'patch' && one.kind.peer === name) return '';
    }
  }
  return `No usable peer '${peer}' exists in '${bridge.datapathType}' datapath.`;
}
