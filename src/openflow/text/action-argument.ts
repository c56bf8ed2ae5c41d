// The arguments of actions as text: addresses, bytes, and numbers that have a range of their own.
import { parseIpv4, parseMac } from '../../base/addresses.ts';
import { logger } from '../../base/log.ts';
import { scannedMac } from '../../flow/field-text.ts';
import { fault, numberOf, u32 } from './number-text.ts';

const socketLog = logger('socket_util');

/** An Ethernet address. */
export function macOf(text: string): [number, number] {
  // What follows the address is not looked at.
  const address = /^(?:-?[0-9a-f]+:){5}-?[0-9a-f]+/i.exec(text)?.[0] ?? text;
  return parseMac(scannedMac(address)) ?? fault(`invalid mac address ${text}`);
}

/** An IPv4 address. */
export function ipOf(text: string): number {
  // As inet_pton has it, zeros in front make no number.
  const ip = /(^|\.)0\d/.test(text) ? undefined : parseIpv4(text);
  if (ip !== undefined) return ip;
  socketLog.err(`"${text}" is not a valid IP address`);
  return fault(`${text}: could not convert to IP address`);
}

/** An Ethernet type. */
export function ethertype(text: string): number {
  return numberOf(text, 16, 'ethertype');
}

/** Bytes in hexadecimal, with dots between them or none. */
export const hexBytes = (text: string, what: string): Uint8Array => {
  const bytes: number[] = [];
  for (let at = 0; at < text.length; ) {
    if (text.charAt(at) === '.') {
      at++;
      continue;
    }
    const pair = text.slice(at, at + 2);
    if (!/^[0-9a-f]{2}$/i.test(pair)) fault(`bad hex digit in ${what}`);
    bytes.push(Number.parseInt(pair, 16));
    at += 2;
  }
  return new Uint8Array(bytes);
};

/** An argument that must not be empty: `action` expects `what`. */
export const wanted = (arg: string, action: string, what: string): string => (arg === '' ? fault(`${action}: expected ${what}.`) : arg);

/** A VLAN's number. */
export function vid(arg: string): number {
  const value = numberOf(arg, 16, 'VLAN VID');
  return value > 0xfff ? fault(`${arg}: not a valid VLAN VID`) : value;
}

/** A VLAN's priority. */
export function pcp(arg: string): number {
  return inRange(arg, 8, 7, 'VLAN PCP');
}

/** A type of service, without the bits of congestion notification. */
export function tos(arg: string): number {
  const value = numberOf(arg, 8, 'TOS');
  return (value & 3) !== 0 ? fault(`${arg}: not a valid TOS`) : value;
}

/** A label. */
export function mplsLabel(arg: string): number {
  const value = u32(arg);
  return value > 0xfffff ? fault(`${arg}: not a valid MPLS label`) : value;
}

/** A number up to `most`; `text` is what it is called. */
export function inRange(arg: string, bits: number, most: number, text: string): number {
  const value = numberOf(arg, bits, text);
  return value > most ? fault(`${arg}: not a valid ${text}`) : value;
}
