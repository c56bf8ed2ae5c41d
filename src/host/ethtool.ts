// What a device's driver says of itself and of its link, by the ethtool ioctl (linux/ethtool.h). Works by name in the present namespace.
import { closeFd, libc, type Memory, mapMemory } from './ffi.ts';

const SIOCETHTOOL = 0x8946;
const ETHTOOL_GSET = 1;
const ETHTOOL_GDRVINFO = 3;

export interface DriverInfo {
  name: string;
  version: string;
  firmware: string;
}

export interface LinkMode {
  /** Megabits a second, 0 when unknown. */
  speedMbps: number;
  duplex: 'half' | 'full' | undefined;
  /** OpenFlow feature bits as in OpenFlow 1.1's port description. */
  current: number;
  advertised: number;
  supported: number;
  peer: number;
}

// One page for arguments: the ioctl takes a pointer inside its own argument.
let page: Memory | undefined;
let socket = -1;

function ask(device: string, command: number): DataView | undefined {
  const name = new TextEncoder().encode(device);
  if (name.length > 15) return undefined;
  page ??= mapMemory(4096);
  if (socket < 0) socket = libc().socket(2, 0x80002, 0);
  page.bytes.fill(0, 0, 512);
  const view = new DataView(page.bytes.buffer, page.bytes.byteOffset, 512);
  view.setUint32(0, command, true);
  const request = new Uint8Array(40);
  request.set(name);
  new DataView(request.buffer).setBigUint64(16, BigInt(page.address), true);
  return libc().ioctl(socket, SIOCETHTOOL, request) < 0 ? undefined : view;
}

function field(view: DataView, at: number): string {
  const bytes = new Uint8Array(view.buffer, view.byteOffset + at, 32);
  const end = bytes.indexOf(0);
  return new TextDecoder().decode(bytes.slice(0, end < 0 ? 32 : end));
}

/** The driver of a device, or undefined when it says nothing. */
export function driverInfo(device: string): DriverInfo | undefined {
  const view = ask(device, ETHTOOL_GDRVINFO);
  return view === undefined ? undefined : { name: field(view, 4), version: field(view, 36), firmware: field(view, 68) };
}

/** Bits of ethtool's link modes -> bits of OpenFlow's features. */
const modes: readonly (readonly [number, number])[] = [
  [0, 0x1], // 10 half
  [1, 0x2],
  [2, 0x4], // 100 half
  [3, 0x8],
  [4, 0x10], // 1000 half
  [5, 0x20],
  [12, 0x40], // 10000 full
  [7, 0x800], // twisted pair
  [10, 0x1000], // fibre
  [6, 0x2000], // autonegotiation
  [13, 0x4000], // pause
  [14, 0x8000], // asymmetric pause
];
const features = (mask: number): number => modes.reduce((bits, [bit, feature]) => ((mask >>> bit) & 1 ? bits | feature : bits), 0);

const speeds = new Map<number, readonly [number, number]>([
  [10, [0x1, 0x2]],
  [100, [0x4, 0x8]],
  [1000, [0x10, 0x20]],
  [10_000, [0x400, 0x40]],
  [40_000, [0x400, 0x80]],
  [100_000, [0x400, 0x100]],
  [1_000_000, [0x400, 0x200]],
]);

/** Speed and features of a device's link, or undefined when the driver does not know. */
export function linkMode(device: string): LinkMode | undefined {
  const view = ask(device, ETHTOOL_GSET);
  if (view === undefined) return undefined;
  const raw = view.getUint16(12, true) | (view.getUint16(28, true) << 16);
  const speedMbps = raw === -1 || raw === 0xffff ? 0 : raw >>> 0;
  const duplex = view.getUint8(14);
  const [half, full] = speeds.get(speedMbps) ?? [0x400, 0x400];
  let current = speedMbps === 0 ? 0 : duplex === 1 ? full : half;
  const port = view.getUint8(15);
  if (port === 0) current |= 0x800;
  else if (port === 3) current |= 0x1000;
  if (view.getUint8(18) !== 0) current |= 0x2000;
  return {
    speedMbps,
    duplex: duplex === 0 ? 'half' : duplex === 1 ? 'full' : undefined,
    current,
    advertised: features(view.getUint32(8, true)),
    supported: features(view.getUint32(4, true)),
    peer: features(view.getUint32(32, true)),
  };
}

/** Gives back what the questions needed. */
export function closeEthtool(): void {
  closeFd(socket);
  socket = -1;
}
