// Control commands that list datapath flows: dpctl/dump-flows, dpif/dump-flows. Text as in the running reference.
import { ConfigError } from '../../../base/errors.ts';
import type { ActionTextOptions } from '../../../datapath/action-text.ts';
import type { Datapath, DpFlow, DpOffload, FlowId } from '../../../datapath/datapath.ts';
import { formatDpFlow } from '../../../datapath/flow-text.ts';
import type { KeyTextOptions } from '../../../datapath/key-text.ts';
import { miniflowBits } from '../../../datapath/miniflow-bits.ts';
import type { PortNames } from '../../../flow/field-text.ts';
import { W } from '../../../flow/key.ts';
import { flowName, isByHand, isSystem, registerDpctl, takeDatapath } from './datapath-names.ts';
import { DpctlError, INVALID } from './dpctl-fault.ts';
import { flowFilter } from './flow-filter.ts';
import { bridgeNamed, type CommandParts } from './parts.ts';

const ANY = Number.POSITIVE_INFINITY;

interface DumpOptions {
  more: boolean;
  names: boolean;
  rest: string[];
}

function dumpOptions(args: readonly string[]): DumpOptions {
  const options: DumpOptions = { more: false, names: false, rest: [] };
  let names: boolean | undefined;
  for (const arg of args) {
    if (arg === '-m') options.more = true;
    else if (arg === '--names') names = true;
    else if (arg === '--no-names') names = false;
    else options.rest.push(arg);
  }
  options.names = names ?? options.more;
  return options;
}

/** Flows as lines; `withPlace` says where they are carried out too. */
export function* flowLines(
  parts: CommandParts,
  datapath: Datapath,
  flows: Iterable<DpFlow>,
  options: Pick<DumpOptions, 'more' | 'names'>,
  withPlace = true,
): Generator<string> {
  const names = new Map<number, string>();
  if (options.names) {
    names.set(0, datapath.name);
    for (const info of datapath.ports()) names.set(info.port, info.name);
  }
  const text: KeyTextOptions & ActionTextOptions = {
    full: options.more,
    port: (port) => names.get(port) ?? String(port),
    cookie: (cookie) =>
      parts.host.cookieText?.(datapath, cookie) ?? (cookie.reason === 'controller' ? 'controller()' : `${cookie.reason}(action)`),
  };
  const now = parts.clock.now();
  const offload = datapath.offload?.();
  for (const flow of flows) {
    const stats = datapath.flowStats(flow.id);
    if (stats === undefined) continue;
    const line = formatDpFlow(flow, stats, now, text);
    if (!options.more) {
      yield line;
    } else {
      const id = flowName(datapath, flow.id);
      const ufid = `${id.slice(0, 8)}-${id.slice(8, 12)}-${id.slice(12, 16)}-${id.slice(16, 20)}-${id.slice(20)}`;
      const place = offload === undefined ? 'dp:ovs' : offloadText(offload, flow.id);
      // The kernel's Open vSwitch keeps no more of a flow than its mask; user space says how large that is.
      const extra = isSystem(datapath) ? '' : `, dp-extra-info:${miniflowBits(flow)}`;
      if (!withPlace) {
        yield `ufid:${ufid} ${line}`;
        continue;
      }
      yield `ufid:${ufid}, ${line.replace(/, actions:/, `, ${place}, actions:`)}${extra}`;
    }
  }
}

function dpctlDumpFlows(parts: CommandParts, given: readonly string[], flags: ReadonlySet<string>): string {
  const more = flags.has('-m') || flags.has('--more');
  const options = { more, names: (more || flags.has('--names')) && !flags.has('--no-names') };
  // From the end on, each sort of word once but threads, of which the first counts; what stands before another word is none of them.
  const words = [...given];
  const taken = new Map<string, string>();
  for (;;) {
    const [sort, value] = /^(filter|type|pmd)=(.*)$/s.exec(words.at(-1) ?? '')?.slice(1) ?? [];
    if (sort === undefined || (sort !== 'pmd' && taken.has(sort))) break;
    if (sort === 'pmd' && !/^\s*[-+]?(0x[0-9a-f]+|\d+)$/i.test(value ?? '')) throw new ConfigError('');
    taken.set(sort, value ?? '');
    words.pop();
  }
  const [filter, typeText, thread] = ['filter', 'type', 'pmd'].map((sort) => taken.get(sort));
  // Of several words none has to be a datapath's name.
  const datapath = takeDatapath(parts, words, words.length === 1 ? 1 : ANY);
  const wanted = filter === undefined ? undefined : flowFilter(filter, namedPorts(parts, datapath));
  const types = typeText === undefined ? undefined : flowTypes(typeText);
  let flows = types === undefined || types.has('all') ? datapath.flows() : flowsOfTypes(datapath, types);
  if (wanted !== undefined) flows = [...flows].filter(wanted);
  if (thread !== undefined && (Number(thread) | 0) !== -1) return '';
  const lines = [...flowLines(parts, datapath, flows, options)];
  if (lines.length > 0 && !isSystem(datapath) && thread === undefined) lines.unshift('flow-dump from the main thread:');
  return lines.join('\n');
}

/** Ports of the datapath by name. */
function namedPorts(parts: CommandParts, datapath: Datapath): PortNames {
  const numbers = new Map<string, number>();
  for (const bridge of parts.host.bridges()) {
    if (bridge.datapath !== datapath) continue;
    for (const { name, dpPort } of bridge.ports()) if (dpPort !== undefined) numbers.set(name, dpPort);
  }
  return { number: (name) => numbers.get(name), name: () => undefined };
}

/** The words of `type=`, ovs-dpctl(8). */
const FLOW_TYPES: ReadonlySet<string> = new Set(['ovs', 'tc', 'dpdk', 'offloaded', 'non-offloaded', 'partially-offloaded', 'all']);

function flowTypes(text: string): ReadonlySet<string> {
  // A comma at the end has nothing behind it.
  const types = text === '' ? [] : text.replace(/,$/, '').split(',');
  const unknown = types.find((word) => !FLOW_TYPES.has(word));
  if (unknown !== undefined) throw new DpctlError(`Failed to parse type (${unknown})`, INVALID);
  return new Set(types);
}

function* flowsOfTypes(datapath: Datapath, types: ReadonlySet<string>): Generator<DpFlow> {
  const offload = datapath.offload?.();
  const user = types.has('ovs') || types.has('non-offloaded');
  const whole = types.has('tc') || types.has('offloaded');
  const part = types.has('tc') || types.has('partially-offloaded');
  for (const flow of datapath.flows()) {
    if (offload?.isOffloaded(flow.id) !== true ? user : offload.isPartial(flow.id) ? part : whole) yield flow;
  }
}

/** Whether a command put a flow that no bridge would: of frames behind a recirculation, or from a tunnel. */
const isStray = (datapath: Datapath, { id, key }: DpFlow): boolean =>
  isByHand(datapath, id) &&
  (key[W.RECIRC_ID] !== 0 || key[W.TUN_DST] !== 0 || key.subarray(W.TUN_IPV6_DST, W.TUN_IPV6_DST + 4).some((word) => word !== 0));

function dpifDumpFlows(parts: CommandParts, args: readonly string[]): string {
  const options = dumpOptions(args);
  // Whatever else there is, the last word is the bridge.
  const bridge = bridgeNamed(parts.host, args.at(-1));
  const own = new Set<number>();
  for (const { dpPort } of bridge.ports()) if (dpPort !== undefined) own.add(dpPort);
  const flows = [...bridge.datapath.flows()].filter((flow) => own.has(flow.key[W.IN_PORT] ?? 0) && !isStray(bridge.datapath, flow));
  return [...flowLines(parts, bridge.datapath, flows, options, false)].join('\n');
}

function offloadText(offload: DpOffload, id: FlowId): string {
  if (!offload.isOffloaded(id)) return 'offloaded:no, dp:ovs';
  return offload.isPartial(id) ? 'offloaded:partial, dp:tc' : 'offloaded:yes, dp:tc';
}

/** Registers them. */
export function registerFlowDumpCommands(parts: CommandParts): void {
  const { unixctl } = parts;
  unixctl.register('dpif/dump-flows', '[-m] [--names | --no-names] bridge', 1, ANY, (args) => dpifDumpFlows(parts, args));
  registerDpctl(parts, 'dump-flows', '[-m] [--names] [dp] [filter=..] [type=..] [pmd=..]', 0, 6, (words, flags) =>
    dpctlDumpFlows(parts, words, flags),
  );
}
