// A bond: several links that carry one port (ovs-vswitchd.conf.db(5), "Bonding Configuration").
//
//   1. A member whose link comes up is enabled after `updelayMs`, one whose link goes down disabled after `downdelayMs`; a link that comes
//      back meanwhile changes nothing. While no member is enabled the first that comes up is, at once.
//   2. One enabled member is the active one: the primary if there is one and it is enabled, else the one that it was, else the first.
//   3. active-backup sends and takes all by the active member. balance-slb gives each source address and VLAN (a bucket of 256) a member,
//      in turn, and takes what is meant for many by the active member alone. balance-tcp needs LACP on both ends, and carries nothing
//      without: there is no LACP here.
//
// Time comes from outside, so that tests need none; `nextMs` says when `run` has something to do.
import { logger } from '../base/log.ts';

const log = logger('bond');

export type BondMode = 'active-backup' | 'balance-slb' | 'balance-tcp';

export interface BondSettings {
  mode: BondMode;
  updelayMs: number;
  downdelayMs: number;
  hashBasis: number;
  /** Name of the member that active-backup prefers; '' for none. */
  primary: string;
  /** balance-slb: members other than the active one take broadcasts too. */
  takesAllByAll: boolean;
  /** Whether balance-tcp without LACP is active-backup instead of nothing. */
  fallsBack: boolean;
}

export const BOND_BUCKETS = 256;

export interface BondMember {
  readonly name: string;
  isUp: boolean;
  isEnabled: boolean;
  /** When a link that changed counts as changed; undefined = nothing is pending. */
  pendingMs: number | undefined;
}

/** What a bond does with a frame that came in by a member. */
export type Admission = 'accept' | 'drop' | 'drop if moved';

export class Bond {
  readonly name: string;
  settings: BondSettings;
  active: BondMember | undefined;
  readonly #members = new Map<string, BondMember>();
  readonly #buckets: (BondMember | undefined)[] = [];
  #turn = 0;

  constructor(name: string, settings: BondSettings) {
    this.name = name;
    this.settings = settings;
  }

  get members(): readonly BondMember[] {
    return [...this.#members.values()];
  }

  member(name: string): BondMember | undefined {
    return this.#members.get(name);
  }

  /** New settings; buckets begin anew where they mean something else now. */
  configure(settings: BondSettings): void {
    const before = this.settings;
    this.settings = settings;
    if (before.mode !== settings.mode || before.hashBasis !== settings.hashBasis) this.#buckets.length = 0;
  }

  /** Takes the state of links, and does what time has brought. True when frames may go another way than before. */
  run(links: readonly { name: string; isUp: boolean }[], nowMs: number): boolean {
    let isChanged = false;
    const wanted = new Set(links.map(({ name }) => name));
    for (const name of this.#members.keys()) {
      if (wanted.has(name)) continue;
      this.#members.delete(name);
      isChanged = true;
    }
    for (const { name, isUp } of links) {
      const known = this.#members.get(name);
      if (known === undefined) {
        const made: BondMember = { name, isUp, isEnabled: false, pendingMs: undefined };
        this.#members.set(name, made);
        if (isUp) this.#enable(made, true);
        isChanged = true;
      } else if (known.isUp !== isUp) this.#linkChanged(known, isUp, nowMs);
    }
    for (const member of this.#members.values()) {
      if (member.pendingMs === undefined || member.pendingMs > nowMs) continue;
      this.#enable(member, member.isUp);
      isChanged = true;
    }
    return this.#chooseActive() || isChanged;
  }

  /** When `run` is to be called next; undefined = when a link changes. */
  get nextMs(): number | undefined {
    let next: number | undefined;
    for (const { pendingMs } of this.#members.values()) {
      if (pendingMs !== undefined && (next === undefined || pendingMs < next)) next = pendingMs;
    }
    return next;
  }

  /** 1. */
  #linkChanged(member: BondMember, isUp: boolean, nowMs: number): void {
    member.isUp = isUp;
    log.info(`member ${member.name}: link state ${isUp ? 'up' : 'down'}`);
    if (isUp === member.isEnabled) {
      member.pendingMs = undefined;
      log.info(`member ${member.name}: will not be ${isUp ? 'disabled' : 'enabled'}`);
      return;
    }
    const hasEnabled = this.members.some(({ isEnabled }) => isEnabled);
    const delayMs = isUp ? (hasEnabled ? this.settings.updelayMs : 0) : this.settings.downdelayMs;
    member.pendingMs = nowMs + delayMs;
    if (isUp && !hasEnabled && this.settings.updelayMs > 0) {
      log.info(`member ${member.name}: skipping ${this.settings.updelayMs} ms updelay since no other member is up`);
    } else if (delayMs > 0) {
      const [what, how] = isUp ? ['enabled', 'up'] : ['disabled', 'down'];
      log.info(`member ${member.name}: will be ${what} if it stays ${how} for ${delayMs} ms`);
    }
  }

  #enable(member: BondMember, isEnabled: boolean): void {
    member.pendingMs = undefined;
    if (member.isEnabled === isEnabled) return;
    member.isEnabled = isEnabled;
    log.info(`member ${member.name}: ${isEnabled ? 'enabled' : 'disabled'}`);
  }

  /** 2. */
  #chooseActive(): boolean {
    const before = this.active;
    const isThere = before !== undefined && this.#members.get(before.name) === before && before.isEnabled;
    const primary = this.settings.mode === 'active-backup' ? this.#members.get(this.settings.primary) : undefined;
    if (primary?.isEnabled === true) this.active = primary;
    else if (!isThere) this.active = this.members.find(({ isEnabled }) => isEnabled);
    if (this.active === before) return false;
    if (this.active !== undefined) log.info(`bond ${this.name}: active member is now ${this.active.name}`);
    else log.info(`bond ${this.name}: all members disabled`);
    return true;
  }

  /** Makes an enabled member the active one; false when it is. */
  setActive(member: BondMember): boolean {
    if (this.active === member) return false;
    this.active = member;
    log.info(`bond ${this.name}: active member is now ${member.name}`);
    return true;
  }

  get #carriesByActive(): boolean {
    const { mode, fallsBack } = this.settings;
    return mode === 'active-backup' || (mode === 'balance-tcp' && fallsBack);
  }

  /** 3. The member that sends what falls into a bucket; undefined when none does. */
  choose(bucket: number): BondMember | undefined {
    if (this.#carriesByActive) return this.active;
    if (this.settings.mode === 'balance-tcp') return undefined;
    const known = this.#buckets[bucket];
    if (known?.isEnabled === true && this.#members.get(known.name) === known) return known;
    const enabled = this.members.filter(({ isEnabled }) => isEnabled);
    const chosen = enabled[this.#turn++ % Math.max(1, enabled.length)];
    this.#buckets[bucket] = chosen;
    return chosen;
  }

  /** Gives a bucket to another member. */
  migrate(bucket: number, member: BondMember): void {
    this.#buckets[bucket] = member;
  }

  /** 3. What becomes of a frame that came in by a member; `isForMany`: broadcast or multicast. */
  admission(name: string, isForMany: boolean): Admission {
    if (this.#carriesByActive) return this.active?.name === name ? 'accept' : 'drop';
    if (this.settings.mode === 'balance-tcp') return 'drop';
    if (isForMany && this.active?.name !== name && !this.settings.takesAllByAll) return 'drop';
    return 'drop if moved';
  }
}
