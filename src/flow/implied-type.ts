// A flow that asks for any field of a packet, and names no packet type, means Ethernet frames (OpenFlow 1.5.1 section 7.2.3.11, and the running
// reference). What is told of it stays as it was given: the type that it implies is a property of its mask, and takes no word of it.
import { W } from './key.ts';

/** Whether a word of a key is part of a packet, and not of what is known about one. */
const isPacketWord = (word: number): boolean =>
  (word >= W.ETH && word <= W.TOS) ||
  word === W.VLAN1 ||
  (word >= W.IPV6_LABEL && word <= W.ND_OPTIONS) ||
  (word >= W.NSH && word < W.TUN_METADATA);

/** Whether a mask of these words implies that the packet is an Ethernet frame. */
export const impliesEthernet = (words: readonly number[]): boolean => !words.includes(W.PACKET_TYPE) && words.some(isPacketWord);
