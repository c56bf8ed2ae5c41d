// Datapaths and their ports by the names that control commands give them.
import { randomBytes } from 'node:crypto';
import { ConfigError } from '../../../base/errors.ts';
import { hashTwo } from '../../../base/murmur-hash.ts';
import type { Datapath, DpFlow, FlowId } from '../../../datapath/datapath.ts';
import { DpctlError, INVALID, said } from './dpctl-fault.ts';
import type { CommandParts } from './parts.ts';

/** Whether the kernel forwards for it, or user space in the kernel's place. */
export const isSystem = (datapath: Datapath): boolean => datapath.type === 'system' && datapath.isSimulated !== true;
export const fullName = (datapath: Datapath): string => `${datapath.type}@${datapath.name}`;

/** Those of bridges, and those that commands made. */
export const allDatapaths = ({ host, spare }: CommandParts): Datapath[] => [...host.datapaths(), ...spare.all()];

/** Why a datapath of that name cannot be opened, if it is not there. */
export function openFault(parts: CommandParts, name: string): string {
  const [type = '', rest] = name.includes('@') ? name.replace(/^@/, 'system@').split('@') : ['system', name];
  if (!parts.spare.types.includes(type)) return 'Address family not supported by protocol';
  // What bridges have of that type is ours; commands make none, as where the kernel has no Open vSwitch.
  if (type === 'system' && !parts.isOverridden) return 'No such file or directory';
  return allDatapaths(parts).some((datapath) => datapath.name === rest) ? 'Invalid argument' : 'No such device';
}

/** The datapath of that name; the reference's words when there is none. */
export function openedDatapath(parts: CommandParts, name: string): Datapath {
  const found = allDatapaths(parts).find((datapath) => fullName(datapath) === (name.includes('@') ? name : `system@${name}`));
  if (found === undefined) throw new DpctlError('opening datapath', openFault(parts, name));
  return found;
}

/** The datapath that an optional `[TYPE@]NAME` means; the reference's words when there is none. */
export function datapathNamed(parts: CommandParts, name: string | undefined): Datapath {
  const all = allDatapaths(parts);
  if (name !== undefined) {
    const wanted = name.includes('@') ? name : `system@${name}`;
    const found = all.find((datapath) => fullName(datapath) === wanted);
    if (found === undefined) throw new DpctlError('datapath not found', INVALID);
    return found;
  }
  const [only] = all;
  if (only === undefined) {
    throw new ConfigError(`${said('no datapaths exist')}\n${said('datapath not found', INVALID)}`);
  }
  if (all.length > 1) {
    throw new ConfigError(`${said('multiple datapaths, specify one')}\n${said('datapath not found', INVALID)}`);
  }
  return only;
}

/**
 * The datapath that the first of some words may name, which is taken off them then; otherwise the only one there is. With `most` words or
 * more the first must be one's name.
 */
export function takeDatapath(parts: CommandParts, words: string[], most: number): Datapath {
  const [name] = words;
  const isName = name !== undefined && allDatapaths(parts).some((one) => fullName(one) === (name.includes('@') ? name : `system@${name}`));
  if (isName) words.shift();
  return datapathNamed(parts, isName || words.length >= most ? name : undefined);
}

/** Options of dpctl commands. */
const DPCTL_FLAGS: ReadonlySet<string> = new Set([
  '-s',
  '--statistics',
  '-m',
  '--more',
  '--names',
  '--no-names',
  '--may-create',
  '--clear',
]);

/** Options that stand before the other words, and those. A dash alone is a word. */
function leadingOptions(args: readonly string[]): { flags: Set<string>; words: string[] } {
  const first = args.findIndex((arg) => !arg.startsWith('-') || arg === '-');
  const options = first < 0 ? args : args.slice(0, first);
  // Letters may stand together.
  const said = options.flatMap((option) => (option.startsWith('--') ? option : [...option.slice(1)].map((letter) => `-${letter}`)));
  for (const option of said) if (!DPCTL_FLAGS.has(option)) throw new ConfigError(`Unrecognized option ${option}`);
  const flags = new Set(said);
  // The last of two that contradict each other counts.
  if (said.lastIndexOf('--names') > said.lastIndexOf('--no-names')) flags.delete('--no-names');
  return { flags, words: args.slice(options.length) };
}

/** What a dpctl command does with its words; `all` has the options before them, too, for where the reference counts from the end. */
type DpctlHandler = (words: string[], flags: ReadonlySet<string>, all: readonly string[]) => string | Promise<string>;

/** Registers `dpctl/NAME`: all of them take the same options, which count as arguments. */
export function registerDpctl(
  { unixctl }: CommandParts,
  name: string,
  usage: string,
  least: number,
  most: number,
  handler: DpctlHandler,
): void {
  unixctl.register(`dpctl/${name}`, usage, least, most, (args) => {
    const { flags, words } = leadingOptions(args);
    return handler(words, flags, args);
  });
}

/** Names that flows were given by hand, by datapath. */
const given = new WeakMap<Datapath, Map<FlowId, string>>();
const SECRET = randomBytes(4).readUInt32LE();

/** Flows that commands put. */
const handmade = new WeakMap<Datapath, Set<FlowId>>();

/** Notes that a command put a flow. */
export function noteByHand(datapath: Datapath, id: FlowId): void {
  const ids = handmade.get(datapath) ?? new Set<FlowId>();
  handmade.set(datapath, ids.add(id));
}

/** Whether a command put a flow. */
export const isByHand = (datapath: Datapath, id: FlowId): boolean => handmade.get(datapath)?.has(id) === true;

/** Forgets what is known of a flow that is gone. */
export function forgetFlow(datapath: Datapath, id: FlowId): void {
  handmade.get(datapath)?.delete(id);
  given.get(datapath)?.delete(id);
}

/** Gives a flow the name (UFID, as hex digits) that it is to have. */
export function nameFlow(datapath: Datapath, id: FlowId, digits: string): void {
  const names = given.get(datapath) ?? new Map<FlowId, string>();
  given.set(datapath, names.set(id, digits));
}

/** Whether somebody gave a flow its UFID. */
export const isNamed = (datapath: Datapath, id: FlowId): boolean => given.get(datapath)?.has(id) === true;

/** A flow's UFID, 32 hex digits: the one that it was given, or one that follows from its number and differs from daemon to daemon. */
export function flowName(datapath: Datapath, id: FlowId): string {
  const own = given.get(datapath)?.get(id);
  if (own !== undefined) return own;
  let digits = '';
  for (let i = 0; i < 4; i++)
    digits += hashTwo(hashTwo(SECRET + i, Math.floor(id / 2 ** 32)), id | 0)
      .toString(16)
      .padStart(8, '0');
  return digits;
}

/** The flow of that name. */
export function flowNamed(datapath: Datapath, digits: string): DpFlow | undefined {
  for (const flow of datapath.flows()) if (flowName(datapath, flow.id) === digits) return flow;
  return undefined;
}
