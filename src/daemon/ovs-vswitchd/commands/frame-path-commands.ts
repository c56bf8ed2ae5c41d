// Control commands about the reference's ways of moving frames: dpif-netdev/*, odp-execute/*. Weft has one implementation of each step and
// no polling threads; the commands answer as the reference does where none of those is in use.
import { ConfigError } from '../../../base/errors.ts';
import type { Datapath } from '../../../datapath/datapath.ts';
import { W } from '../../../flow/key.ts';
import { type PackedMask, packMask } from '../../../flow/mask.ts';
import { allDatapaths, isSystem } from './datapath-names.ts';
import type { CommandParts } from './parts.ts';

const ANY_PMD = ['-pmd'];

/** The datapath that a command means: the only one whatever is said (unless `byName`), or the one named without its type. */
function userspaceDatapath(parts: CommandParts, name: string | undefined, byName = false): Datapath {
  const all = [...parts.host.datapaths()];
  const isOnly = all.length === 1 && (name === undefined || !byName);
  const found = isOnly ? all[0] : all.find((datapath) => datapath.name === name);
  if (found === undefined) throw new ConfigError('please specify an existing datapath');
  return found;
}

/** Arguments without options that take a value; what is left is the datapath's name. */
function withoutOptions(args: readonly string[], valued: readonly string[], flags: readonly string[] = []): string[] {
  const rest: string[] = [];
  for (let i = 0; i < args.length; i++) {
    const arg = args[i]!;
    if (valued.includes(arg) && i + 1 < args.length) i++;
    else if (!flags.includes(arg)) rest.push(arg);
  }
  return rest;
}

/** Those of `miniflow-parser-set`: a thread comes before the name, a number of packets after `study`; of several the last counts. */
function parserArguments(args: readonly string[]): { name: string; core: number | undefined; count: number } {
  let name: string | undefined;
  let core: number | undefined;
  let count = 128;
  for (let i = 0; i < args.length; i++) {
    const arg = args[i]!;
    if (name === undefined && arg === '-pmd') {
      const thread = args[++i];
      if (thread === undefined) throw new ConfigError('Error: -pmd option requires a thread id argument.');
      core = numberOf(thread);
      if (core === undefined) {
        const fault = `Error: miniflow extract parser not changed, PMD thread passed is not valid: '${thread}'. Pass a valid pmd thread ID.`;
        throw new ConfigError(fault);
      }
    } else if (name === undefined) {
      name = arg;
    } else if (name === 'study') {
      count = numberOf(arg) ?? 0;
      if (count === 0) throw new ConfigError(`Error: invalid study_pkt_cnt value: ${arg}.`);
    } else {
      throw new ConfigError(`Error: unknown argument ${arg}.`);
    }
  }
  if (name === undefined) {
    const fault = 'Error: no miniflow extract name provided. Output of miniflow-parser-get shows implementation list.';
    throw new ConfigError(fault);
  }
  return { name, core, count };
}

const numberOf = (text: string): number | undefined => (/^\d{1,10}$/.test(text) ? Number(text) : undefined);

/** One look in one table finds a flow here, and frames go out one by one: those averages are 1. */
function threadStatistics(datapath: Datapath): string {
  const { received, recirculated, hits, missed, lost, sent } = since(frameCounts(datapath), cleared.get(datapath));
  const passes = received === 0 ? 0 : (received + recirculated) / received;
  return [
    'main thread:',
    `  packets received: ${received}`,
    `  packet recirculations: ${recirculated}`,
    `  avg. datapath passes per packet: ${passes.toFixed(2)}`,
    '  phwol hits: 0',
    '  mfex opt hits: 0',
    '  simple match hits: 0',
    '  emc hits: 0',
    '  smc hits: 0',
    `  megaflow hits: ${hits}`,
    `  avg. subtable lookups per megaflow hit: ${(hits === 0 ? 0 : 1).toFixed(2)}`,
    `  miss with success upcall: ${missed}`,
    `  miss with failed upcall: ${lost}`,
    `  avg. packets per output batch: ${(sent === 0 ? 0 : 1).toFixed(2)}`,
  ].join('\n');
}

interface FrameCounts {
  received: number;
  recirculated: number;
  hits: number;
  missed: number;
  lost: number;
  sent: number;
}

/** What was counted when `pmd-stats-clear` was given last. */
const cleared = new WeakMap<Datapath, FrameCounts>();

function since(now: FrameCounts, then: FrameCounts | undefined): FrameCounts {
  if (then === undefined) return now;
  return {
    received: now.received - then.received,
    recirculated: Math.max(0, now.recirculated - then.recirculated),
    hits: now.hits - then.hits,
    missed: now.missed - then.missed,
    lost: now.lost - then.lost,
    sent: now.sent - then.sent,
  };
}

/** What the datapath has counted. */
function frameCounts(datapath: Datapath): FrameCounts {
  const stats = datapath.lookupStats();
  let received = 0;
  let sent = 0;
  for (const { port } of datapath.ports()) {
    const counters = datapath.portCounters(port);
    received += Number(counters?.rxPackets ?? 0n);
    sent += Number(counters?.txPackets ?? 0n);
  }
  const lookups = Number(stats.hit + stats.missed);
  const hits = Number(stats.hit);
  return {
    received,
    recirculated: Math.max(0, lookups - received),
    hits,
    missed: Number(stats.missed - stats.lost),
    lost: Number(stats.lost),
    sent,
  };
}

/** The names of one step's implementations, and which is in use. */
interface Choice {
  active: string;
  readonly names: readonly string[];
}

/** How many tables of one mask the flows of all ports are in: each port has its own. */
function subtables({ host }: CommandParts): number {
  let count = 0;
  for (const datapath of host.datapaths()) {
    if (datapath.offload !== undefined) continue;
    const ports = new Map<number, Set<PackedMask>>();
    for (const { key, mask } of datapath.flows()) {
      const masks = ports.get(key[W.IN_PORT]!) ?? new Set();
      ports.set(key[W.IN_PORT]!, masks.add(packMask(mask)));
    }
    for (const masks of ports.values()) count += masks.size;
  }
  return count;
}

function registerChoices(parts: CommandParts): void {
  const { unixctl } = parts;
  const actions: Choice = { active: 'scalar', names: ['scalar', 'autovalidator'] };
  unixctl.register('odp-execute/action-impl-show', '', 0, 0, () =>
    [
      'Available Actions implementations:',
      ...actions.names.map((name) => `  ${name} (available: Yes, active: ${actions.active === name ? 'Yes' : 'No'})`),
    ].join('\n'),
  );
  unixctl.register('odp-execute/action-impl-set', 'name', 1, 1, ([name = '']) => {
    if (!actions.names.includes(name)) throw new ConfigError(`Error: unknown action implementation, ${name}, specified!`);
    actions.active = name;
    return `Action implementation set to ${name}.`;
  });

  unixctl.register('dpif-netdev/dpif-impl-get', '', 0, 0, () => 'Available DPIF implementations:\n  dpif_scalar (pmds: none)');
  unixctl.register('dpif-netdev/dpif-impl-set', 'dpif_implementation_name', 1, 1, ([name = '']) => {
    if (name !== 'dpif_scalar') throw new ConfigError(`DPIF implementation not available: Unknown DPIF implementation ${name}.`);
    return 'DPIF implementation set to dpif_scalar.';
  });

  const parsers = ['autovalidator', 'scalar', 'study'];
  unixctl.register('dpif-netdev/miniflow-parser-get', '', 0, 0, () =>
    ['Available MFEX implementations:', ...parsers.map((name) => `  ${name} (available: True pmds: none)`)].join('\n'),
  );
  const usage = '[-pmd core] miniflow_implementation_name [study_pkt_cnt]';
  unixctl.register('dpif-netdev/miniflow-parser-set', usage, 1, 5, (args) => {
    const { name, core, count } = parserArguments(args);
    if (!parsers.includes(name)) throw new ConfigError(`Error: unknown miniflow extract implementation ${name}.`);
    if (core !== undefined) {
      const fault = `Error: miniflow extract parser not changed, PMD thread ${core} not in use, pass a valid pmd thread ID.`;
      throw new ConfigError(fault);
    }
    return `Miniflow extract implementation set to ${name}${name === 'study' ? `, studying ${count} packets` : ''}.`;
  });

  const priorities = new Map([
    ['autovalidator', 0],
    ['generic', 1],
  ]);
  const lookups = (): string => {
    return [
      'Available dpcls implementations:',
      ...[...priorities].map(
        ([name, priority]) => `  ${name} (Use count: ${name === 'generic' ? subtables(parts) : 0}, Priority: ${priority})`,
      ),
    ].join('\n');
  };
  unixctl.register('dpif-netdev/subtable-lookup-info-get', '', 0, 0, lookups);
  unixctl.register('dpif-netdev/subtable-lookup-prio-get', undefined, 0, 0, lookups);
  unixctl.register('dpif-netdev/subtable-lookup-prio-set', '[lookup_func] [prio]', 2, 2, ([name = '', text = '']) => {
    const priority = /^\s*[+-]?\d/.test(text) ? Number.parseInt(text, 10) : 0;
    if (priority < 0 || priority > 255) throw new ConfigError('error converting priority, use integer in range 0-255');
    if (!priorities.has(name)) throw new ConfigError('error, subtable lookup function not found');
    priorities.set(name, priority);
    return 'Lookup priority change affected 0 dpcls ports and 0 subtables.';
  });
}

/** Registers them. */
export function registerFrameCommands(parts: CommandParts): void {
  const { unixctl } = parts;
  const about = (args: readonly string[], valued: readonly string[] = ANY_PMD, flags?: readonly string[]): Datapath =>
    userspaceDatapath(parts, withoutOptions(args, valued, flags)[0]);
  unixctl.register('dpif-netdev/pmd-stats-show', '[-pmd core] [dp]', 0, 3, (args) => {
    const datapath = about(args);
    // No thread of that number polls; a word that is no number counts as none.
    return /^\d+$/.test(args[args.indexOf('-pmd') + 1] ?? '') && args.includes('-pmd') ? '' : threadStatistics(datapath);
  });
  unixctl.register('dpif-netdev/pmd-stats-clear', '[-pmd core] [dp]', 0, 3, (args) => {
    const datapath = about(args);
    cleared.set(datapath, frameCounts(datapath));
    return '';
  });
  unixctl.register('dpif-netdev/pmd-rxq-show', '[-pmd core] [-secs secs] [dp]', 0, 5, (args) => {
    about(args, ['-pmd', '-secs']);
    if (args.includes('-pmd')) return '';
    const at = args.indexOf('-secs');
    const wanted = at < 0 ? 60 : Number.parseInt(args[at + 1] ?? '', 10);
    // Load is kept in periods of five seconds, for a minute.
    const seconds = wanted > 0 && wanted <= 60 ? Math.ceil(wanted / 5) * 5 : 60;
    return `Displaying last ${seconds} seconds pmd usage %`;
  });
  const performance = '[-nh] [-it iter-history-len] [-ms ms-history-len] [-pmd core] [dp]';
  unixctl.register('dpif-netdev/pmd-perf-show', performance, 0, 8, (args) => {
    about(args, ['-it', '-ms', '-pmd'], ['-nh']);
    return '';
  });
  const logUsage = 'on|off [-b before] [-a after] [-e|-ne] [-us usec] [-q qlen]';
  unixctl.register('dpif-netdev/pmd-perf-log-set', logUsage, 0, 10, (args) => {
    if (args[0] !== undefined && args[0] !== 'on' && args[0] !== 'off') {
      throw new ConfigError(`Usage: ovs-appctl dpif-netdev/pmd-perf-log-set [on|off] ${logUsage.slice(7)}`);
    }
    return '';
  });
  unixctl.register('dpif-netdev/pmd-rxq-rebalance', '[dp]', 0, 1, ([name]) => {
    userspaceDatapath(parts, name, true);
    return 'pmd rxq rebalance requested.';
  });
  unixctl.register('dpif-netdev/bond-show', '[dp]', 0, 1, ([name]) => {
    userspaceDatapath(parts, name, true);
    return '';
  });
  // How the kernel hands frames over, of each of its datapaths: one queue a processor, as all since Linux 5.15. The reference waits for ever where
  // its module is absent.
  unixctl.register('dpif-netlink/dispatch-mode', '', 0, 0, () => {
    return allDatapaths(parts)
      .filter(isSystem)
      .map(({ name }) => `${name}: per-cpu dispatch mode\n`)
      .join('');
  });
  registerChoices(parts);
}
