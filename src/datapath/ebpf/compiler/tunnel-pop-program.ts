// The program at the devices that are no port of ours: takes the outer header off a tunnel's packets and goes on in the datapath's program.
//
//   1. Outer IP without options, whole, with a right header checksum; anything else is left to the host.
//   2. Local address, protocol and UDP port must be those of a tunnel port. So the underlay's other traffic sees a few instructions.
//   3. GRE, VXLAN or Geneve carrying Ethernet, under the same rules as `wire/tunnel-headers.ts`. A packet whose GRE checksum does not seem to
//      be right goes to the host, whose socket gives it to user space: what no wire has carried may have one for a checksum inside that is
//      still to be filled in. Of a super-segment the kernel has checked each segment, or no wire has carried it.
//   4. The outer header goes away with the Ethernet header before it, whose place the inner one takes; a tag goes where the kernel
//      keeps tags. Super-segments stay whole.
//   5. The tunnel's fields are left in `resume`, and the datapath's program does the rest as for any other frame.
import { Assembler, type Program, type Register } from '../../../bpf/instructions.ts';
import { TUN_FLAG, W } from '../../../flow/key.ts';
import { emitFrameLength, HELPER, loadBytes, MAX_OPTION_WORDS, SKB, STACK, TUNNEL_WORDS, VERDICT } from './frame-context.ts';
import { RESUME_KIND, RESUME_VALUE, TUNNEL_KEY, TUNNEL_PROTOCOL, TUNNEL_VALUE, TX_VALUE } from './map-layout.ts';
import { emitFold, emitSum } from './tunnel-checksum-program.ts';

const ETHERNET = 14;
const ADJUST_AT_MAC = 1;
const F_FIXED_GSO = 1;
const F_DECAP_IPV4 = 1 << 7;
const F_DECAP_IPV6 = 1 << 8;
const IPPROTO_UDP = 17;
const IPPROTO_GRE = 47;

/** Bytes of the outer header: IPv4 or IPv6 behind it, and the first eight of what follows. */
const OUTER = STACK.lookup;
const KEY = STACK.scratch - 24;
/** Bytes that the outer IP header says follow it. */
const PAYLOAD = STACK.scratch;
const TUN_FLAGS = STACK.scratch + 4;

/** Place of a tunnel word in `resume`. */
const tunnelAt = (word: number): number => RESUME_VALUE.tunnel + TUNNEL_WORDS.indexOf(word) * 4;

/** Compiles; it depends on nothing but the maps. Map names: `resume`, `tunnels`, `tx`, `programs`. */
export function compileTunnelPop(): Program {
  const a = new Assembler();
  a.mov(6, { reg: 1 });
  a.load(4, 0, 6, SKB.vlanPresent).jump('ne', 0, 0, 'pass');
  // r9 = what the datapath's program will find.
  a.store(4, 10, STACK.scratch, 0).loadMap(1, 'resume').mov(2, { reg: 10 }).alu('add', 2, STACK.scratch);
  a.call(HELPER.mapLookup).jump('eq', 0, 0, 'pass').mov(9, { reg: 0 });
  a.load(4, 0, 6, SKB.protocol).toBigEndian(0, 16).jump('eq', 0, 0x86dd, 'ipv6').jump('ne', 0, 0x0800, 'pass');
  emitIpv4(a);
  a.label('ipv6');
  emitIpv6(a);
  emitPort(a);
  emitGre(a);
  emitVxlan(a);
  emitGeneve(a);
  emitDecap(a);
  a.label('pass').mov(0, VERDICT.next).exit();
  return a.finish();
}

const clear = (a: Assembler, from: number, to: number): void => {
  for (let word = from; word <= to; word++) a.store(4, 9, tunnelAt(word), 0);
};

/** Copies words of the outer header to the tunnel's fields and to the key of `tunnels`, through r0. */
function emitAddress(a: Assembler, word: number, outer: number, count: number, keyAt?: number): void {
  for (let i = 0; i < count; i++) {
    a.load(4, 0, 10, OUTER + outer + i * 4).store(4, 9, tunnelAt(word + i), { reg: 0 });
    if (keyAt !== undefined) a.store(4, 10, KEY + keyAt + i * 4, { reg: 0 });
  }
}

/** After either: r7 = offset of what follows IP, whose first 8 bytes stand on the stack; r8 = IP protocol. */
function emitIpv4(a: Assembler): void {
  loadBytes(a, undefined, ETHERNET, OUTER, 28, 'pass');
  a.load(1, 0, 10, OUTER).jump('ne', 0, 0x45, 'pass');
  a.load(2, 0, 10, OUTER + 6)
    .toBigEndian(0, 16)
    .mov(1, { reg: 0 })
    .alu('and', 0, 0x3fff)
    .jump('ne', 0, 0, 'pass');
  a.alu('rsh', 1, 14).alu('and', 1, 1).alu('lsh', 1, 17).store(4, 10, TUN_FLAGS, { reg: 1 });
  a.load(2, 7, 10, OUTER + 2)
    .toBigEndian(7, 16)
    .load(4, 1, 6, SKB.len)
    .alu('sub', 1, ETHERNET)
    .jump('ne', 1, { reg: 7 }, 'pass');
  a.alu('sub', 7, 20).store(4, 10, PAYLOAD, { reg: 7 });
  a.mov(1, 0).mov(2, 0).mov(3, { reg: 10 }).alu('add', 3, OUTER).mov(4, 20).mov(5, 0).call(HELPER.csumDiff);
  for (let i = 0; i < 2; i++) a.mov(1, { reg: 0 }).alu('rsh', 1, 16).alu('and', 0, 0xffff).alu('add', 0, { reg: 1 });
  a.jump('ne', 0, 0xffff, 'pass');
  clear(a, W.TUN_IPV6_SRC, W.TUN_IPV6_DST + 3);
  for (let i = 0; i < 3; i++) a.store(4, 10, KEY + i * 4, 0);
  emitAddress(a, W.TUN_SRC, 12, 1);
  emitAddress(a, W.TUN_DST, 16, 1, TUNNEL_KEY.address + 12);
  emitTosTtl(a, 1, 8);
  a.load(1, 8, 10, OUTER + 9).mov(7, ETHERNET + 20);
  // From here on the eight bytes stand where IPv6 has them.
  a.load(4, 0, 10, OUTER + 20).store(4, 10, OUTER + 40, { reg: 0 });
  a.load(4, 0, 10, OUTER + 24)
    .store(4, 10, OUTER + 44, { reg: 0 })
    .goto('port');
}

function emitIpv6(a: Assembler): void {
  loadBytes(a, undefined, ETHERNET, OUTER, 48, 'pass');
  a.load(2, 7, 10, OUTER + 4)
    .toBigEndian(7, 16)
    .load(4, 1, 6, SKB.len)
    .alu('sub', 1, ETHERNET + 40)
    .jump('ne', 1, { reg: 7 }, 'pass');
  a.store(4, 10, PAYLOAD, { reg: 7 }).store(4, 10, TUN_FLAGS, 0);
  clear(a, W.TUN_SRC, W.TUN_DST);
  emitAddress(a, W.TUN_IPV6_SRC, 8, 4);
  emitAddress(a, W.TUN_IPV6_DST, 24, 4, TUNNEL_KEY.address);
  a.load(2, 0, 10, OUTER)
    .toBigEndian(0, 16)
    .alu('rsh', 0, 4)
    .alu('and', 0, 0xff)
    .store(1, 10, OUTER + 1, { reg: 0 });
  emitTosTtl(a, 1, 7);
  a.load(1, 8, 10, OUTER + 6).mov(7, ETHERNET + 40);
}

/** Adds tos and ttl, at those bytes of the outer header, to the flags. */
function emitTosTtl(a: Assembler, tosAt: number, ttlAt: number): void {
  a.load(4, 0, 10, TUN_FLAGS)
    .load(1, 1, 10, OUTER + tosAt)
    .alu('lsh', 1, 8)
    .alu('or', 0, { reg: 1 });
  a.load(1, 1, 10, OUTER + ttlAt)
    .alu('or', 0, { reg: 1 })
    .store(4, 10, TUN_FLAGS, { reg: 0 });
}

/** Finds the tunnel port. After: its number is in `resume`, r7 = offset of the tunnel header, r8 = TUNNEL_PROTOCOL. */
function emitPort(a: Assembler): void {
  const first = OUTER + 40;
  a.label('port').store(1, 10, KEY + TUNNEL_KEY.ipProtocol, { reg: 8 });
  a.store(1, 10, KEY + TUNNEL_KEY.ipProtocol + 1, 0).store(2, 10, KEY + TUNNEL_KEY.port, 0);
  a.store(4, 9, tunnelAt(W.TUN_TP), 0).store(4, 9, tunnelAt(W.TUN_GBP), 0).store(4, 9, tunnelAt(W.TUN_ID), 0);
  a.store(4, 9, tunnelAt(W.TUN_ID) + 4, 0);
  a.store(4, 9, tunnelAt(W.TUN_METADATA_MAP), 0).load(4, 1, 9, RESUME_VALUE.hasOptions).jump('eq', 1, 0, 'clear');
  for (let i = 0; i <= MAX_OPTION_WORDS; i += 2) a.store(8, 9, RESUME_VALUE.options + i * 4, 0);
  a.store(4, 9, RESUME_VALUE.hasOptions, 0).label('clear');
  a.jump('eq', 8, IPPROTO_GRE, 'known').jump('ne', 8, IPPROTO_UDP, 'pass');
  a.load(2, 0, 10, first + 2).store(2, 10, KEY + TUNNEL_KEY.port, { reg: 0 });
  a.load(4, 0, 10, first).store(4, 9, tunnelAt(W.TUN_TP), { reg: 0 });
  a.load(2, 0, 10, first + 4)
    .toBigEndian(0, 16)
    .load(4, 1, 10, PAYLOAD)
    .jump('ne', 0, { reg: 1 }, 'pass');
  a.load(2, 0, 10, first + 6).jump('eq', 0, 0, 'unsummed');
  addFlag(a, TUN_FLAG.CSUM);
  a.label('unsummed').alu('add', 7, 8);
  a.label('known').loadMap(1, 'tunnels').mov(2, { reg: 10 }).alu('add', 2, KEY).call(HELPER.mapLookup).jump('eq', 0, 0, 'pass');
  a.load(4, 1, 0, TUNNEL_VALUE.port).toBigEndian(1, 32).store(4, 9, RESUME_VALUE.port, { reg: 1 });
  a.load(4, 8, 0, TUNNEL_VALUE.protocol);
  // The first eight bytes of the tunnel header.
  loadBytes(a, 7, 0, first, 8, 'pass');
  a.jump('eq', 8, TUNNEL_PROTOCOL.vxlan, 'vxlan').jump('eq', 8, TUNNEL_PROTOCOL.geneve, 'geneve');
}

const addFlag = (a: Assembler, flag: number): void => {
  a.load(4, 0, 10, TUN_FLAGS)
    .alu('or', 0, flag << 16)
    .store(4, 10, TUN_FLAGS, { reg: 0 });
};

/** After each: r7 = offset of the inner Ethernet header. */
function emitGre(a: Assembler): void {
  const at = OUTER + 40;
  // No routing, version or reserved bits; Ethernet.
  a.load(2, 0, 10, at).toBigEndian(0, 16).mov(8, { reg: 0 }).alu('and', 0, 0x4f07).jump('ne', 0, 0, 'pass');
  a.load(2, 0, 10, at + 2)
    .toBigEndian(0, 16)
    .jump('ne', 0, 0x6558, 'pass');
  a.jump('set', 8, 0x8000, 'gresum').alu('add', 7, 4).goto('grekey').label('gresum');
  emitGreSum(a);
  a.label('grekey').mov(1, { reg: 8 }).alu('and', 1, 0x2000).jump('eq', 1, 0, 'unkeyed');
  a.load(4, 0, 10, at + 4)
    .store(4, 9, tunnelAt(W.TUN_ID) + 4, { reg: 0 })
    .alu('add', 7, 4);
  addFlag(a, TUN_FLAG.KEY);
  a.label('unkeyed').alu('and', 8, 0x1000).jump('eq', 8, 0, 'inner').alu('add', 7, 4).goto('inner');
}

/** A packet with a checksum. After: r7 = offset of what follows it, the first eight bytes are those from there on. */
function emitGreSum(a: Assembler): void {
  const right = a.fresh('right');
  addFlag(a, TUN_FLAG.CSUM);
  a.load(4, 1, 6, SKB.gsoSize).jump('ne', 1, 0, right).mov(1, { reg: 7 }).load(4, 2, 10, PAYLOAD);
  emitSum(a, 'pass');
  emitFold(a);
  a.jump('ne', 0, 0xffff, 'pass').label(right).alu('add', 7, 8);
  // The key stands four bytes further than without.
  loadBytes(a, 7, 0, OUTER + 44, 4, 'pass');
}

function emitIdentifier(a: Assembler): void {
  a.load(4, 0, 10, OUTER + 44)
    .toBigEndian(0, 32)
    .alu('rsh', 0, 8)
    .toBigEndian(0, 32)
    .store(4, 9, tunnelAt(W.TUN_ID) + 4, { reg: 0 });
  addFlag(a, TUN_FLAG.KEY);
}

function emitVxlan(a: Assembler): void {
  const at = OUTER + 40;
  a.label('vxlan').load(1, 8, 10, at).jump('set', 8, 0x08, 'flagged').goto('pass').label('flagged');
  emitIdentifier(a);
  a.alu('add', 7, 8).alu('and', 8, 0x80).jump('eq', 8, 0, 'inner');
  a.load(2, 0, 10, at + 2).store(2, 9, tunnelAt(W.TUN_GBP), { reg: 0 });
  a.load(1, 0, 10, at + 1)
    .store(1, 9, tunnelAt(W.TUN_GBP) + 2, { reg: 0 })
    .goto('inner');
}

function emitGeneve(a: Assembler): void {
  const at = OUTER + 40;
  a.label('geneve')
    .load(2, 0, 10, at + 2)
    .toBigEndian(0, 16)
    .jump('ne', 0, 0x6558, 'pass');
  // Of another version than 0 nothing is known.
  a.load(1, 8, 10, at).jump('gt', 8, MAX_OPTION_WORDS, 'pass').alu('add', 7, 8);
  emitIdentifier(a);
  emitOptions(a);
  a.load(1, 0, 10, at + 1)
    .jump('set', 0, 0x80, 'oam')
    .goto('inner')
    .label('oam');
  addFlag(a, TUN_FLAG.OAM);
}

/** Before: r7 = offset of the options, r8 = how many words they have. After: r7 = offset of what follows. */
function emitOptions(a: Assembler): void {
  const none = a.fresh('nooptions');
  a.alu('lsh', 8, 2).mov(0, { reg: 8 }).toBigEndian(0, 32).store(4, 9, tunnelAt(W.TUN_METADATA_MAP), { reg: 0 });
  a.jump('eq', 8, 0, none);
  a.store(4, 9, RESUME_VALUE.hasOptions, 1).mov(1, { reg: 6 }).mov(2, { reg: 7 }).mov(3, { reg: 9 }).alu('add', 3, RESUME_VALUE.options);
  a.mov(4, { reg: 8 }).call(HELPER.skbLoadBytes).jump('ne', 0, 0, 'pass').alu('add', 7, { reg: 8 });
  a.label(none);
}

function emitDecap(a: Assembler): void {
  const eth = STACK.header;
  const size: Register = 8;
  a.label('inner');
  a.load(4, 0, 10, TUN_FLAGS).toBigEndian(0, 32).store(4, 9, tunnelAt(W.TUN_FLAGS), { reg: 0 });
  loadBytes(a, 7, 0, eth, 18, 'pass');
  // r8 = bytes to take away: all up to the inner Ethernet header's end, but for 14.
  a.mov(size, { reg: 7 });
  a.load(2, 0, 10, eth + 12).toBigEndian(0, 16);
  a.mov(7, 0).jump('eq', 0, 0x8100, 'tagged').jump('ne', 0, 0x88a8, 'plain');
  a.label('tagged')
    .load(4, 7, 10, eth + 12)
    .alu('add', size, 4);
  a.load(2, 0, 10, eth + 16)
    .store(2, 10, eth + 12, { reg: 0 })
    .toBigEndian(0, 16);
  a.label('plain')
    .mov(4, F_FIXED_GSO | F_DECAP_IPV4)
    .jump('ne', 0, 0x86dd, 'family')
    .mov(4, F_FIXED_GSO | F_DECAP_IPV6)
    .label('family');
  a.mov(1, { reg: 6 }).mov(2, 0).alu('sub', 2, { reg: size }).mov(3, ADJUST_AT_MAC).call(HELPER.adjustRoom).jump('ne', 0, 0, 'pass');
  a.mov(1, { reg: 6 }).mov(2, 0).mov(3, { reg: 10 }).alu('add', 3, eth).mov(4, 14).mov(5, 0).call(HELPER.skbStoreBytes);
  a.jump('eq', 7, 0, 'untagged').mov(1, { reg: 6 }).mov(2, { reg: 7 }).alu('and', 2, 0xffff);
  a.mov(3, { reg: 7 }).alu('rsh', 3, 16).toBigEndian(3, 16).call(HELPER.vlanPush).label('untagged');
  emitReceived(a);
  a.store(4, 9, RESUME_VALUE.depth, 0)
    .store(4, 9, RESUME_VALUE.recircId, 0)
    .store(4, 9, RESUME_VALUE.dpHash, 0)
    .store(4, 9, RESUME_VALUE.list, 0)
    .store(4, 9, RESUME_VALUE.token, 0)
    .store(4, 9, RESUME_VALUE.hasMore, 0)
    .store(4, 9, RESUME_VALUE.kind, RESUME_KIND.tunnel);
  for (let i = 0; i < 3; i++) a.store(4, 9, RESUME_VALUE.ct + i * 4, 0);
  a.mov(1, { reg: 6 }).loadMap(2, 'programs').mov(3, 0).call(HELPER.tailCall);
  // Only where the datapath's program is gone.
  a.store(4, 9, RESUME_VALUE.kind, 0).mov(0, VERDICT.shot).exit();
}

function emitReceived(a: Assembler): void {
  a.load(4, 0, 9, RESUME_VALUE.port).toBigEndian(0, 32).store(4, 10, STACK.scratch, { reg: 0 });
  a.loadMap(1, 'tx').mov(2, { reg: 10 }).alu('add', 2, STACK.scratch).call(HELPER.mapLookup).jump('eq', 0, 0, 'uncounted');
  a.mov(1, 1).atomicAdd(8, 0, TX_VALUE.rxPackets, 1);
  emitFrameLength(a, 1, 2);
  a.atomicAdd(8, 0, TX_VALUE.rxBytes, 1).label('uncounted');
}
