// What programs counted at ports and in all, read from a generation's maps; with what earlier generations counted.
import { lookupElement, updateElement } from '../../bpf/kernel.ts';
import type { DpPort } from '../datapath.ts';
import { PORT_BASE, PORT_VALUE, TOTALS_BASE, TOTALS_VALUE, TX_VALUE } from './compiler/map-layout.ts';

/** What was counted at a port. `lost`: frames for user space that found no room. */
export interface KernelPortCounters {
  rxPackets: bigint;
  rxBytes: bigint;
  txPackets: bigint;
  txBytes: bigint;
  lost: bigint;
}

/**
 * Frames handed to user space by reason (the index), dropped by flows without actions, received at ports that are no more, dropped
 * because no outer header fitted, and by meters.
 */
export interface KernelTotals {
  punted: bigint[];
  dropped: bigint;
  past: bigint;
  wrapFailed: bigint;
  metered: bigint;
}

type Maps = ReadonlyMap<string, number>;
const PUNT_REASONS = 4;

/** A map's key or a number in its value. */
export const le32 = (value: number): Uint8Array => new Uint8Array(Uint32Array.of(value).buffer);

function read(maps: Maps, name: string, key: number, size: number): DataView {
  const value = new Uint8Array(size);
  const fd = maps.get(name);
  if (fd !== undefined) lookupElement(fd, le32(key), value);
  return new DataView(value.buffer);
}

/** The counters of a port and its device; all zero when there is none. */
export function readPort(maps: Maps, port: DpPort, ifindex: number): KernelPortCounters {
  const rx = read(maps, 'ports', ifindex, PORT_VALUE.size);
  const tx = read(maps, 'tx', port, TX_VALUE.size);
  const base = read(maps, 'base', port, PORT_BASE.size);
  const sum = (view: DataView, at: number, baseAt: number): bigint => view.getBigUint64(at, true) + base.getBigUint64(baseAt, true);
  return {
    rxPackets: sum(rx, PORT_VALUE.rxPackets, PORT_BASE.rxPackets),
    rxBytes: sum(rx, PORT_VALUE.rxBytes, PORT_BASE.rxBytes),
    lost: sum(rx, PORT_VALUE.lost, PORT_BASE.lost),
    txPackets: sum(tx, TX_VALUE.packets, PORT_BASE.txPackets),
    txBytes: sum(tx, TX_VALUE.bytes, PORT_BASE.txBytes),
  };
}

/** What a tunnel port received in all, and its counters without the frames that user space got, which counts those. */
export function readTunnel(maps: Maps, port: DpPort): { received: bigint; counters: KernelPortCounters } {
  const value = read(maps, 'tx', port, TX_VALUE.size);
  const at = (offset: number): bigint => value.getBigUint64(offset, true);
  const received = at(TX_VALUE.rxPackets);
  const counters = {
    rxPackets: received - at(TX_VALUE.rxPunted),
    rxBytes: at(TX_VALUE.rxBytes) - at(TX_VALUE.rxPuntedBytes),
    lost: 0n,
    txPackets: at(TX_VALUE.packets),
    txBytes: at(TX_VALUE.bytes),
  };
  return { received, counters };
}

/** Adds to what earlier generations counted at a port. */
export function addToPort(maps: Maps, port: DpPort, more: KernelPortCounters): void {
  const base = read(maps, 'base', port, PORT_BASE.size);
  const add = (at: number, count: bigint): void => base.setBigUint64(at, base.getBigUint64(at, true) + count, true);
  add(PORT_BASE.rxPackets, more.rxPackets);
  add(PORT_BASE.rxBytes, more.rxBytes);
  add(PORT_BASE.lost, more.lost);
  add(PORT_BASE.txPackets, more.txPackets);
  add(PORT_BASE.txBytes, more.txBytes);
  updateElement(maps.get('base')!, le32(port), new Uint8Array(base.buffer));
}

/** Forgets what was counted at a port, before another gets its number. */
export function clearPort(maps: Maps, port: DpPort): void {
  updateElement(maps.get('base')!, le32(port), new Uint8Array(PORT_BASE.size));
  updateElement(maps.get('tx')!, le32(port), new Uint8Array(TX_VALUE.size));
}

/** The totals. */
export function readTotals(maps: Maps): KernelTotals {
  const now = read(maps, 'totals', 0, TOTALS_VALUE.size);
  const base = read(maps, 'base', 0, PORT_BASE.size);
  const sum = (at: number, baseAt: number): bigint => now.getBigUint64(at, true) + base.getBigUint64(baseAt, true);
  return {
    punted: Array.from({ length: PUNT_REASONS }, (_, i) => sum(TOTALS_VALUE.punted + i * 8, TOTALS_BASE.punted + i * 8)),
    dropped: sum(TOTALS_VALUE.dropped, TOTALS_BASE.dropped),
    past: base.getBigUint64(TOTALS_BASE.past, true),
    wrapFailed: sum(TOTALS_VALUE.wrapFailed, TOTALS_BASE.wrapFailed),
    metered: sum(TOTALS_VALUE.metered, TOTALS_BASE.metered),
  };
}

/** Adds to the totals of earlier generations. */
export function addToTotals(maps: Maps, more: KernelTotals): void {
  const base = read(maps, 'base', 0, PORT_BASE.size);
  const add = (at: number, count: bigint): void => base.setBigUint64(at, base.getBigUint64(at, true) + count, true);
  for (const [i, count] of more.punted.entries()) add(TOTALS_BASE.punted + i * 8, count);
  add(TOTALS_BASE.dropped, more.dropped);
  add(TOTALS_BASE.past, more.past);
  add(TOTALS_BASE.wrapFailed, more.wrapFailed);
  add(TOTALS_BASE.metered, more.metered);
  updateElement(maps.get('base')!, le32(0), new Uint8Array(base.buffer));
}
