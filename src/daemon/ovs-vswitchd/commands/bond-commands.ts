// Control commands about bonds. Text as in the running reference.
import { formatMac, parseMac } from '../../../base/addresses.ts';
import { ConfigError } from '../../../base/errors.ts';
import { bondHash } from '../../../flow/bond-hash.ts';
import type { Bond, BondMember } from '../../../protocols/bond.ts';
import type { SwitchBridge } from '../../../switch/contract.ts';
import { bridgesByName, type CommandParts } from './parts.ts';

type Found = { bond: Bond; mac(member: string): readonly [number, number] | undefined; run(): void };

/** C's `strtol` over a whole word: decimal digits with a sign. */
const wholeNumber = (text: string | undefined): number | undefined =>
  text !== undefined && /^\s*[+-]?\d+/.test(text) ? Number.parseInt(text, 10) : undefined;

function hashCommand([macText, vlanText, basisText]: readonly string[]): string {
  let vlan = 0;
  let basis = 0;
  if (vlanText !== undefined) {
    const number = wholeNumber(vlanText);
    if (number === undefined) throw new ConfigError('invalid vlan');
    vlan = number & 0xffff;
  }
  if (basisText !== undefined) {
    const number = wholeNumber(basisText);
    if (number === undefined) throw new ConfigError('invalid basis');
    basis = number | 0;
  }
  const mac = parseMac(macText ?? '');
  if (mac === undefined) throw new ConfigError('invalid mac');
  return String(bondHash(mac, vlan, basis));
}

function memberText(member: BondMember, isActive: boolean, nowMs: number): string {
  let text = `member ${member.name}: ${member.isEnabled ? 'enabled' : 'disabled'}\n`;
  if (isActive) text += '  active member\n';
  if (member.pendingMs !== undefined) {
    text += `  ${member.isUp ? 'updelay' : 'downdelay'} expires in ${Math.max(0, Math.ceil(member.pendingMs - nowMs))} ms\n`;
  }
  return `${text}  may_enable: ${member.isUp}\n`;
}

function showBond({ bond, mac }: Found, nowMs: number): string {
  const { mode, hashBasis, updelayMs, downdelayMs, primary, takesAllByAll, fallsBack } = bond.settings;
  const active = bond.active?.name;
  const [high, low] = (active === undefined ? undefined : mac(active)) ?? [0, 0];
  const isThere = bond.member(primary) !== undefined;
  const preferred = mode !== 'active-backup' || primary === '' ? '<none>' : isThere ? primary : `${primary} (no such member)`;
  const members = [...bond.members].sort((a, b) => (a.name < b.name ? -1 : 1));
  return [
    `---- ${bond.name} ----`,
    `bond_mode: ${mode}`,
    'bond may use recirculation: no, Recirc-ID : -1',
    `bond-hash-basis: ${hashBasis}`,
    'lb_output action: disabled, bond-id: -1',
    ...(mode === 'balance-slb' ? [`all members active: ${takesAllByAll}`] : []),
    `updelay: ${updelayMs} ms`,
    `downdelay: ${downdelayMs} ms`,
    'lacp_status: off',
    `lacp_fallback_ab: ${fallsBack}`,
    `active-backup primary: ${preferred}`,
    `active member mac: ${formatMac(high, low)}(${active ?? 'none'})`,
    '',
    ...members.map((member) => memberText(member, member === bond.active, nowMs)),
    '',
  ].join('\n');
}

/** Registers them. */
export function registerBondCommands({ unixctl, host, clock }: CommandParts): void {
  const all = (): Found[] => bridgesByName(host).flatMap((bridge: SwitchBridge) => [...(bridge.bonds?.() ?? [])]);
  const named = (name: string | undefined): Found => {
    const found = all().find(({ bond }) => bond.name === name);
    if (found === undefined) throw new ConfigError('no such bond');
    return found;
  };
  const memberOf = ({ bond }: Found, name: string | undefined): BondMember => {
    const member = bond.member(name ?? '');
    if (member === undefined) throw new ConfigError('no such member');
    return member;
  };

  unixctl.register('bond/list', '', 0, 0, () => {
    const line = ({ bond }: Found): string => {
      const names = bond.members.map(({ name }) => name).sort();
      return `${bond.name}\t${bond.settings.mode}\t0\t${names.join(', ')}`;
    };
    return ['bond\ttype\trecircID\tmembers', ...all().map(line)].join('\n');
  });
  unixctl.register('bond/show', '[port]', 0, 1, ([name]) =>
    (name === undefined ? all() : [named(name)]).map((found) => showBond(found, clock.now())).join(''),
  );
  unixctl.register('bond/migrate', 'port hash member', 3, 3, ([name, hash, memberName]) => {
    const found = named(name);
    if (found.bond.settings.mode !== 'balance-slb') throw new ConfigError('not an SLB bond');
    const bucket = wholeNumber(hash);
    if (bucket === undefined) throw new ConfigError('bad hash');
    const member = memberOf(found, memberName);
    if (!member.isEnabled) throw new ConfigError('cannot migrate to disabled member');
    found.bond.migrate(bucket & 0xff, member);
    found.run();
    return 'migrated';
  });
  /** Also under the name that it had before Open vSwitch 2.16, which is not listed. */
  const register = (verb: string, handler: (args: string[]) => string): void => {
    unixctl.register(`bond/${verb}-member`, 'port member', 2, 2, handler);
    unixctl.register(`bond/${verb}-slave`, undefined, 2, 2, handler);
  };
  register('set-active', ([name, memberName]) => {
    const found = named(name);
    const member = memberOf(found, memberName);
    if (!member.isEnabled) throw new ConfigError('cannot make disabled member active');
    if (!found.bond.setActive(member)) return 'no change';
    found.run();
    return 'done';
  });
  // What the link says wins at once, so that these two do no more than in the reference: they answer.
  for (const verb of ['enable', 'disable']) {
    register(verb, ([name, memberName]) => {
      memberOf(named(name), memberName);
      return `${verb}d`;
    });
  }
  unixctl.register('bond/hash', 'mac [vlan] [basis]', 1, 3, hashCommand);
}
