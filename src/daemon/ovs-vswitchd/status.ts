// What the daemon writes back: columns as they should be, and the transaction of only what differs from the replica. Pure.
// Columns and keys: ovs-vswitchd.conf.db(5), and the running reference for which keys appear for which kind of interface.
import { formatMac } from '../../base/addresses.ts';
import type { DpPortCounters } from '../../datapath/datapath.ts';
import type { OfPort } from '../../openflow/action.ts';
import type { Atom, ColumnValue, IdlRow, IdlTransaction } from '../../ovsdb/client/idl.ts';
import { simulatedCounters } from '../../switch/bridge-ports.ts';
import type { ControllerStatus, PortKind } from '../../switch/contract.ts';
import type { DeviceState } from './devices.ts';

export type Columns = Record<string, ColumnValue>;

const NONE: readonly Atom[] = [];
const EMPTY: ReadonlyMap<Atom, Atom> = new Map();

/** Interface columns of an interface that could not be had. */
export function absentInterface(error: string): Columns {
  return {
    ofport: [-1],
    error: error === '' ? NONE : [error],
    admin_state: NONE,
    link_state: NONE,
    link_resets: NONE,
    link_speed: NONE,
    duplex: NONE,
    mac_in_use: NONE,
    mtu: NONE,
    ifindex: NONE,
    lacp_current: NONE,
    status: EMPTY,
    statistics: EMPTY,
  };
}

/** Interface columns of one that stands; without a device state (it just vanished) it is down. */
export function presentInterface(
  ofport: OfPort,
  error: string,
  kind: PortKind,
  state: DeviceState | undefined,
  egress: ReadonlyMap<string, string>,
): Columns {
  const speed = state === undefined ? 0 : state.speedKbps * 1000;
  return {
    ofport: [ofport],
    error: error === '' ? NONE : [error],
    admin_state: [state?.isUp ? 'up' : 'down'],
    link_state: [state?.hasCarrier ? 'up' : 'down'],
    link_resets: [state?.linkResets ?? 0],
    link_speed: speed > 0 ? [speed] : NONE,
    duplex: state?.duplex === undefined ? NONE : [state.duplex],
    mac_in_use: state === undefined ? NONE : [formatMac(state.mac[0], state.mac[1])],
    mtu: state === undefined || state.mtu === 0 ? NONE : [state.mtu],
    ifindex: [state?.ifindex ?? 0],
    status: kind.kind === 'tunnel' ? egress : (state?.status ?? EMPTY),
  };
}

/** Interface:statistics of a port that is no kernel device. */
export function portStatistics(kind: PortKind, counters: DpPortCounters | undefined): ReadonlyMap<string, bigint> {
  const c = counters;
  const base: [string, bigint][] = [
    ['rx_bytes', c?.rxBytes ?? 0n],
    ['rx_packets', c?.rxPackets ?? 0n],
    ['tx_bytes', c?.txBytes ?? 0n],
    ['tx_packets', c?.txPackets ?? 0n],
  ];
  if (kind.kind === 'dummy') for (const { name, value } of simulatedCounters(c)) base.push([name, value]);
  return new Map(base);
}

/** Mirror columns. */
export function mirrorColumns(counters: { packets: number; bytes: number } | undefined): Columns {
  if (counters === undefined) return { statistics: EMPTY };
  return {
    statistics: new Map([
      ['tx_packets', BigInt(counters.packets)],
      ['tx_bytes', BigInt(counters.bytes)],
    ]),
  };
}

/** Controller columns. */
export function controllerColumns(status: ControllerStatus | undefined): Columns {
  if (status === undefined) return { is_connected: false, role: NONE, status: EMPTY };
  const role = status.role === 'equal' ? 'other' : status.role === 'primary' ? 'master' : status.role === 'secondary' ? 'slave' : undefined;
  return { is_connected: status.isConnected, role: role === undefined || !status.isConnected ? NONE : [role], status: status.status };
}

const sameAtom = (a: Atom, b: Atom): boolean =>
  a === b || (typeof a !== typeof b && typeof a !== 'string' && typeof b !== 'string' && BigInt(a) === BigInt(b));

function isSame(row: IdlRow, column: string, value: ColumnValue): boolean {
  if (value instanceof Map) {
    const present = row.map(column);
    if (present.size !== value.size) return false;
    for (const [key, atom] of value) {
      const other = present.get(key);
      if (other === undefined || !sameAtom(other, atom)) return false;
    }
    return true;
  }
  const wanted = Array.isArray(value) ? (value as readonly Atom[]) : [value as Atom];
  const present = row.set(column);
  return wanted.length === present.length && wanted.every((atom) => present.some((other) => sameAtom(other, atom)));
}

/** Gathers writes; begins a transaction only when there is one. */
export class StatusWriter {
  readonly #begin: () => IdlTransaction;
  readonly #isStored: (row: IdlRow) => boolean;
  #transaction: IdlTransaction | undefined;

  constructor(begin: () => IdlTransaction, isStored: (row: IdlRow) => boolean) {
    this.#begin = begin;
    this.#isStored = isStored;
  }

  /** Writes the columns of a row that differ. */
  put(row: IdlRow | undefined, columns: Columns): void {
    // While the reconciler waited for devices, the row may have been deleted.
    if (row === undefined || !this.#isStored(row)) return;
    for (const [column, value] of Object.entries(columns)) {
      if (isSame(row, column, value)) continue;
      this.#transaction ??= this.#begin();
      this.#transaction.set(row.table, row.uuid, column, value);
    }
  }

  /** What has to be committed, if anything. */
  get transaction(): IdlTransaction | undefined {
    return this.#transaction;
  }
}
