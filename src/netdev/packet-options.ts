// What all our packet sockets have in common (packet(7), linux/if_packet.h).
import { check, libc, setSocketInt } from '../host/ffi.ts';
import type { Packet } from './packet.ts';

const AF_PACKET = 17;
const ETH_P_ALL = 3;
const SOCK_RAW_CLOEXEC_NONBLOCK = 3 | 0x80000 | 0x800;
const SOL_SOCKET = 1;
const SO_SNDBUFFORCE = 32;
const PACKET_ADD_MEMBERSHIP = 1;
const PACKET_DROP_MEMBERSHIP = 2;
const PACKET_STATISTICS = 6;
const PACKET_IGNORE_OUTGOING = 23;
const PACKET_MR_PROMISC = 1;
const TP_STATUS_VLAN_VALID = 0x10;
const TP_STATUS_VLAN_TPID_VALID = 0x40;

export const SOL_PACKET = 263;

/** A socket that hears nothing before it is bound. Throws KernelError. */
export const openSocket = (name: string): number => check('socket', libc().socket(AF_PACKET, SOCK_RAW_CLOEXEC_NONBLOCK, 0), name);

/** From now on it hears what comes in at the device, though not what is sent there. Throws KernelError. */
export function bindToDevice(fd: number, ifindex: number, name: string): void {
  setSocketInt(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, 1);
  const address = new Uint8Array(20);
  const view = new DataView(address.buffer);
  view.setUint16(0, AF_PACKET, true);
  view.setUint16(2, ETH_P_ALL);
  view.setInt32(4, ifindex, true);
  check('bind', libc().bind(fd, address, address.length), name);
}

/** Lets so many bytes wait to be sent, where we may. */
export const setSendBuffer = (fd: number, size: number): void =>
  void libc().setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, new Uint8Array(Int32Array.of(size).buffer), 4);

function member(fd: number, option: number, ifindex: number): number {
  const membership = new Uint8Array(16);
  const view = new DataView(membership.buffer);
  view.setInt32(0, ifindex, true);
  view.setUint16(4, PACKET_MR_PROMISC, true);
  return libc().setsockopt(fd, SOL_PACKET, option, membership, membership.length);
}

/** The socket keeps the device promiscuous from now on. Throws KernelError. */
export const keepPromiscuous = (fd: number, ifindex: number, name: string): void =>
  void check('PACKET_ADD_MEMBERSHIP', member(fd, PACKET_ADD_MEMBERSHIP, ifindex), name);

/** And no more; the device may have gone. */
export const endPromiscuous = (fd: number, ifindex: number): void => void member(fd, PACKET_DROP_MEMBERSHIP, ifindex);

/** Frames that found ring or queue full since the last call. */
export function takeOverruns(fd: number): number {
  const value = new Uint8Array(8);
  if (libc().getsockopt(fd, SOL_PACKET, PACKET_STATISTICS, value, Uint8Array.of(8, 0, 0, 0)) < 0) return 0;
  return new DataView(value.buffer).getUint32(4, true);
}

/**
 * The kernel takes the outer tag off and tells it beside the frame: back to where it was. `status` is that of tpacket2_hdr or tpacket_auxdata, `vlan`
 * their TCI and, in the upper half, TPID.
 */
export function restoreTag(packet: Packet, vlan: number, status: number): void {
  if ((status & TP_STATUS_VLAN_VALID) === 0) return;
  const tpid = (status & TP_STATUS_VLAN_TPID_VALID) !== 0 ? vlan >>> 16 : 0x8100;
  const { bytes } = packet;
  bytes.copyWithin(packet.start - 4, packet.start, packet.start + 12);
  packet.start -= 4;
  packet.length += 4;
  packet.headroom -= 4;
  if (packet.csumStart !== 0) packet.csumStart += 4;
  const at = packet.start + 12;
  bytes[at] = tpid >> 8;
  bytes[at + 1] = tpid;
  bytes[at + 2] = vlan >> 8;
  bytes[at + 3] = vlan;
}
