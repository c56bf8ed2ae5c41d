// A flow that asks for any field of a packet, and names no packet type, means Ethernet frames (OpenFlow 1.5.1 section 7.2.3.11, and the running
// reference). What is told of it stays as it was given: the type that it implies is a property of its mask, and takes no word of it.
import { type Key, W } from './key.ts';

/** Whether bits of a word of a key are part of a packet, or of what began its connection, and not of what else is known about one. */
const isOfPacket = (word: number, bits: number): boolean =>
  (word >= W.ETH && word <= W.TOS) ||
  word === W.VLAN1 ||
  (word >= W.IPV6_LABEL && word <= W.ND_OPTIONS) ||
  (word >= W.NSH && word < W.TUN_METADATA) ||
  (word >= W.CT_NW_SRC && word < W.TUN_ID) ||
  (word === W.CT_ZONE && (bits & CT_NW_PROTO) !== 0);

/** Bits of the word of a connection's zone that are its protocol. */
const CT_NW_PROTO = 0xff00;

/** Whether a mask of these words implies that the packet is an Ethernet frame. */
export const impliesEthernet = (words: readonly number[], bits: ArrayLike<number>): boolean =>
  !words.includes(W.PACKET_TYPE) && words.some((word, i) => isOfPacket(word, bits[i] ?? 0));

/** Whether a mask has a bit of a packet. */
export const asksForPacket = (mask: Key): boolean => mask.some((bits, word) => bits !== 0 && isOfPacket(word, bits));
