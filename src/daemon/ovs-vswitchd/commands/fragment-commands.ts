// Control commands about fragments in connection tracking: dpctl/ipf-*. Text as in the running reference.
import { formatIpv4, formatIpv6 } from '../../../base/addresses.ts';
import type { Datapath } from '../../../datapath/datapath.ts';
import { F, type FamilyStatus, type HeldStatus, LEAST_SIZE, MOST_FRAGMENTS } from '../../../datapath/userspace/conntrack/fragments.ts';
import { askConntrack } from './conntrack-commands.ts';
import { registerDpctl, takeDatapath } from './datapath-names.ts';
import { DpctlError, INVALID } from './dpctl-fault.ts';
import type { CommandParts } from './parts.ts';

type Family = 'ipv4' | 'ipv6';

function fail(text: string, reason = INVALID): never {
  throw new DpctlError(text, reason);
}

const familyOf = (word: string | undefined): Family | undefined => (word === 'v4' ? 'ipv4' : word === 'v6' ? 'ipv6' : undefined);

/** As C reads an unsigned number of 32 bits: what is below zero comes round. */
function unsigned(text: string): number | undefined {
  const digits = /^\s*([+-]?\d+)/.exec(text)?.[1];
  return digits === undefined ? undefined : Number(BigInt.asUintN(32, BigInt(digits)));
}

const MARGIN = ' '.repeat(8);

function familyLines(name: string, { minSize, accepted, completed, expired, tooSmall, overlapped, purged }: FamilyStatus): string[] {
  return [
    `min ${name} frag size: ${minSize}`,
    `${name} frags accepted: ${accepted}`,
    `${name} frags completed: ${completed}`,
    `${name} frags expired: ${expired}`,
    `${name} frags too small: ${tooSmall}`,
    `${name} frags overlapped: ${overlapped}`,
    `${name} frags purged: ${purged}`,
  ];
}

function heldLine({ what, count, state }: HeldStatus): string {
  const word = what[F.WHAT]!;
  const isIpv6 = word >>> 31 === 1;
  const address = (at: number): string => (isIpv6 ? formatIpv6(what, at) : formatIpv4(what[at + 3]!));
  const packet = `src=${address(F.SRC)},dst=${address(F.DST)},recirc_id=${what[F.RECIRC]},ip_id=${what[F.ID]}`;
  const type = `dl_type=0x${isIpv6 ? '86dd' : '800'},zone=${(word >>> 8) & 0xffff},nw_proto=${word & 0xff}`;
  return `(${packet},${type},num_fragments=${count},state=${state})`;
}

async function status(datapath: Datapath, isVerbose: boolean): Promise<string> {
  const { fragments } = await askConntrack(datapath, { kind: 'fragments' });
  if (fragments === undefined) fail('ipf status could not be retrieved');
  const { ipv4, ipv6, most, count, held } = fragments;
  const lines = ['Fragmentation Module Status', '-'.repeat(27), `v4 enabled: ${Number(ipv4.isOn)}`, `v6 enabled: ${Number(ipv6.isOn)}`];
  lines.push(`max num frags (v4/v6): ${most}`, `num frag: ${count}`, ...familyLines('v4', ipv4), ...familyLines('v6', ipv6));
  const text = lines.map((line) => MARGIN + line).join('\n');
  return isVerbose ? [text, '', `${MARGIN}Fragment Lists:`, '', ...held.map(heldLine), ''].join('\n') : text;
}

/** Registers them. */
export function registerFragmentCommands(parts: CommandParts): void {
  /** `own`: how many words there are besides the datapath's name; with `isStrict` one more has to be a name. */
  const register = (
    name: string,
    usage: string,
    own: number,
    isStrict: boolean,
    handler: (datapath: Datapath, words: readonly string[], flags: ReadonlySet<string>) => Promise<string>,
  ): void => {
    registerDpctl(parts, name, usage, own, own + 1, (words, flags) =>
      handler(takeDatapath(parts, words, isStrict ? own + 1 : Number.POSITIVE_INFINITY), words, flags),
    );
  };
  for (const [verb, said, isOn] of [
    ['enabled', 'enabling', true],
    ['disabled', 'disabling', false],
  ] as const) {
    register(`ipf-set-${verb}`, '[dp] v4|v6', 1, false, async (datapath, words) => {
      const family = familyOf(words.at(-1));
      if (family === undefined) fail("parameter missing: 'v4' for IPv4 or 'v6' for IPv6");
      await askConntrack(datapath, { kind: 'setFragments', family, isOn });
      return `${said} fragmentation reassembly successful`;
    });
  }
  register('ipf-set-min-frag', '[dp] v4|v6 minfragment', 2, true, async (datapath, words) => {
    const family = familyOf(words.at(-2));
    if (family === undefined) fail('parameter missing: v4 for IPv4 or v6 for IPv6');
    const minSize = unsigned(words.at(-1) ?? '');
    if (minSize === undefined) fail('parameter missing for minimum fragment size');
    if (minSize < LEAST_SIZE) fail('requested minimum fragment size too small; see documentation', 'Operation not permitted');
    await askConntrack(datapath, { kind: 'setFragments', family, minSize });
    return 'setting minimum fragment size successful';
  });
  register('ipf-set-max-nfrags', '[dp] maxfrags', 1, true, async (datapath, words) => {
    const most = unsigned(words.at(-1) ?? '');
    if (most === undefined) fail('parameter missing for maximum fragments');
    if (most > MOST_FRAGMENTS) fail('setting maximum fragments failed', 'Operation not permitted');
    await askConntrack(datapath, { kind: 'setFragments', most });
    return 'setting maximum fragments successful';
  });
  register('ipf-get-status', '[dp]', 0, true, (datapath, _words, flags) => status(datapath, flags.has('-m') || flags.has('--more')));
}
