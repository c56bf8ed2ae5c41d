// The bridge's own MAC address and its datapath ID. Facts: ovs-vswitchd.conf.db(5) Bridge other_config:hwaddr, Port mac, and the
// running reference: the lowest globally administered address among the ports, else the address that the local port was made with.
import type { Mac, WantedBridge } from './wanted.ts';

/** The datapath ID that follows from an address. */
export function macToDatapathId(mac: Mac): bigint {
  return (BigInt(mac[0] >>> 0) << 16n) | BigInt(mac[1] & 0xffff);
}

export function sameMac(a: Mac | undefined, b: Mac | undefined): boolean {
  return a === b || (a !== undefined && b !== undefined && a[0] >>> 0 === b[0] >>> 0 && a[1] === b[1]);
}

/** A random locally administered unicast address. */
export function randomMac(random: () => number = Math.random): Mac {
  const high = Math.floor(random() * 0x100000000) >>> 0;
  return [((high & 0xfeffffff) | 0x02000000) >>> 0, Math.floor(random() * 0x10000)];
}

const isGroup = (mac: Mac): boolean => (mac[0] & 0x01000000) !== 0;
const isLocal = (mac: Mac): boolean => (mac[0] & 0x02000000) !== 0;
const isZero = (mac: Mac): boolean => mac[0] === 0 && mac[1] === 0;

/**
 * Chooses the address of a bridge. `deviceMac` gives the address of an interface that is open; `own` is the address that the
 * local port was made with.
 */
export function chooseBridgeMac(bridge: WantedBridge, deviceMac: (name: string) => Mac | undefined, own: Mac): Mac {
  if (bridge.hwaddr !== undefined) return bridge.hwaddr;
  let best: Mac | undefined;
  for (const port of bridge.ports) {
    // The local port's address is what we are choosing, and a fake bridge's is a copy of it.
    if (port.name === bridge.name || port.fakeBridge) continue;
    // A bond goes by its first interface in order of name, as the kernel's bonding driver does under the usual scripts.
    const first = port.interfaces.find((one) => deviceMac(one.name) !== undefined);
    const mac = port.mac ?? (first === undefined ? undefined : deviceMac(first.name));
    if (mac === undefined || isGroup(mac) || isLocal(mac) || isZero(mac)) continue;
    if (best === undefined || mac[0] >>> 0 < best[0] >>> 0 || (mac[0] === best[0] && mac[1] < best[1])) best = mac;
  }
  return best ?? own;
}
