// Flows for packets that are no Ethernet frames, as `decap` and `encap` leave them: a flow that asks for any field of a packet, and names no
// packet type, means Ethernet frames (OpenFlow 1.5.1 section 7.2.3.11, and the running reference).
import { LinearClassifier } from '../../flow/classifier-linear.ts';
import type { ClassifierRule } from '../../flow/classifier-rule.ts';
import { type Key, W } from '../../flow/key.ts';
import { packetMask } from '../../flow/packet-mask.ts';

const isPacketWord = (word: number): boolean =>
  (word >= W.ETH && word <= W.TOS) ||
  word === W.VLAN1 ||
  (word >= W.IPV6_LABEL && word <= W.ND_OPTIONS) ||
  (word >= W.NSH && word < W.TUN_METADATA);

/** Whether a flow may be met by a packet that is no Ethernet frame. */
export function takesOtherTypes({ mask }: ClassifierRule): boolean {
  let asksForField = false;
  for (const word of mask.words) {
    if (word === W.PACKET_TYPE) return true;
    asksForField ||= isPacketWord(word);
  }
  return !asksForField;
}

/** The flow for such a packet where the best of all is none for it: a look at each, for such packets are few. All of the packet counts as read. */
export function findOther<R extends ClassifierRule>(rules: Iterable<R>, key: Key, version: number, wild: Key): R | undefined {
  const fitting = new LinearClassifier<R>();
  for (const rule of rules) if (takesOtherTypes(rule)) fitting.insert(rule);
  const read = packetMask(key);
  for (let word = 0; word < read.length; word++) if (isPacketWord(word)) wild[word] = wild[word]! | read[word]!;
  return fitting.lookup(key, version)[0];
}
