// Programs at a device through the clsact queueing discipline, as kernels before tcx (6.6) have them: tc-bpf(8), by rtnetlink.
// A filter stays until it is deleted, whoever made it.
import { KernelError } from '../../base/errors.ts';
import { check, closeFd, E, libc } from '../ffi.ts';
import { netlinkSocket } from './links.ts';
import { decodeMessages, encodeAttribute, encodeRequest, NLM, word } from './netlink-message.ts';

const RTM_NEWQDISC = 36;
const RTM_NEWTFILTER = 44;
const RTM_DELTFILTER = 45;
const CLSACT = 0xfffffff1;
const CLSACT_HANDLE = 0xffff0000;
const INGRESS = 0xfffffff2;
const EGRESS = 0xfffffff3;
/** Places that may be taken at the same device, each with a handle of its own. */
const PLACES = {
  ingress: { parent: INGRESS, handle: 1 },
  egress: { parent: EGRESS, handle: 1 },
  underlay: { parent: INGRESS, handle: 2 },
  shield: { parent: INGRESS, handle: 3 },
} as const;

export type FilterPlace = keyof typeof PLACES;

const TCA_KIND = 1;
const TCA_OPTIONS = 2;
const TCA_BPF_OPS_LEN = 4;
const TCA_BPF_OPS = 5;
const TCA_BPF_FD = 6;
const TCA_BPF_NAME = 7;
const TCA_BPF_FLAGS = 8;
const ACT_DIRECT = 1;
/** linux/bpf_common.h: return a constant. */
const BPF_RET = 6;
const ETH_P_ALL = 3;
/** Ours, so that another's filters are left alone. */
const PRIORITY = 0x5746;
const NESTED = 0x8000;

const text = (value: string): Uint8Array => Buffer.from(`${value}\0`, 'latin1');

/** One request, struct tcmsg and attributes; gives the errno of the answer. */
function ask(type: number, flags: number, message: readonly [number, number, number, number], attributes: readonly Uint8Array[]): number {
  const head = new Uint8Array(Uint32Array.of(0, ...message).buffer);
  const bytes = encodeRequest(type, NLM.ACK | flags, 1, head, attributes);
  const fd = netlinkSocket(0, 0);
  try {
    check('send', libc().send(fd, bytes, bytes.length, 0), 'rtnetlink');
    const answer = new Uint8Array(8192);
    const size = check('recv', Number(libc().recv(fd, answer, answer.length, 0)), 'rtnetlink');
    const said = decodeMessages(answer.subarray(0, size), () => undefined)[0];
    return said?.kind === 'ack' ? said.errno : E.INVAL;
  } finally {
    closeFd(fd);
  }
}

function fail(call: string, errno: number, ifindex: number): never {
  throw new KernelError(call, errno, libc().strerror(errno), `ifindex ${ifindex}`);
}

/** `info` of a tcmsg: priority, and protocol in network order. */
const INFO = ((PRIORITY << 16) | (ETH_P_ALL << 8)) >>> 0;

/** Puts a program at a device, or in the place of the one that was put there before: in one step. */
export function putFilter(ifindex: number, place: FilterPlace, program: number, name: string): void {
  put(ifindex, place, [encodeAttribute(TCA_BPF_FD, word(program)), encodeAttribute(TCA_BPF_NAME, text(name))]);
}

/** The same with an old program for packet filters, one instruction that returns the verdict: no right to load programs is needed. */
export function putVerdict(ifindex: number, place: FilterPlace, verdict: number): void {
  const instruction = new Uint8Array(8);
  const view = new DataView(instruction.buffer);
  view.setUint16(0, BPF_RET, true);
  view.setUint32(4, verdict, true);
  put(ifindex, place, [encodeAttribute(TCA_BPF_OPS_LEN, Uint8Array.of(1, 0)), encodeAttribute(TCA_BPF_OPS, instruction)]);
}

function put(ifindex: number, place: FilterPlace, what: readonly Uint8Array[]): void {
  const { parent, handle } = PLACES[place];
  const qdisc = ask(
    RTM_NEWQDISC,
    NLM.CREATE | NLM.EXCLUDE,
    [ifindex, CLSACT_HANDLE, CLSACT, 0],
    [encodeAttribute(TCA_KIND, text('clsact'))],
  );
  if (qdisc !== 0 && qdisc !== E.EXIST) fail('RTM_NEWQDISC clsact', qdisc, ifindex);
  const options = [...what, encodeAttribute(TCA_BPF_FLAGS, word(ACT_DIRECT))];
  const errno = ask(
    RTM_NEWTFILTER,
    NLM.CREATE | NLM.REPLACE,
    [ifindex, handle, parent, INFO],
    [encodeAttribute(TCA_KIND, text('bpf')), encodeAttribute(TCA_OPTIONS | NESTED, Buffer.concat(options))],
  );
  if (errno !== 0) fail('RTM_NEWTFILTER bpf', errno, ifindex);
}

/** Removes it; it may have gone with its device. */
export function removeFilter(ifindex: number, place: FilterPlace): void {
  const { parent, handle } = PLACES[place];
  ask(RTM_DELTFILTER, 0, [ifindex, handle, parent, INFO], [encodeAttribute(TCA_KIND, text('bpf'))]);
}
