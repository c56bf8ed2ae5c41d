// Control commands that make datapaths of their own, beside those of bridges: dpctl/add-dp, del-dp, add-if, del-if, set-if. Text as in the
// running reference. Such a datapath is user space's, and lives until it is deleted or the daemon ends.
import { randomBytes } from 'node:crypto';
import { strerror } from '../../../base/errno.ts';
import { ConfigError, KernelError } from '../../../base/errors.ts';
import type { Datapath, DpPortInfo, DpPortSpec } from '../../../datapath/datapath.ts';
import { tunnelDevice } from '../../../switch/translate/tunnel-config.ts';
import { allDatapaths, fullName, openedDatapath, openFault, registerDpctl } from './datapath-names.ts';
import { said } from './dpctl-fault.ts';
import type { CommandParts } from './parts.ts';

const LOOPBACK = 'lo';
const STANDARD_PORTS = { gre: 0, vxlan: 4789, geneve: 6081 } as const;
const isTunnel = (type: string): type is keyof typeof STANDARD_PORTS => Object.hasOwn(STANDARD_PORTS, type);
const UNKNOWN = 'Address family not supported by protocol';
/** What the reference's tools say of an option that a device does not have. */
const NOT_CONFIGURABLE = 'arguments provided to device that is not configurable';

const reasonOf = (error: unknown): string => strerror(error instanceof KernelError && error.errno !== 0 ? error.errno : 22);

/** `NAME[,OPTION=VALUE]...`. */
interface Wanted {
  name: string;
  type: string | undefined;
  port: number | undefined;
  hasOthers: boolean;
  hasPeer: boolean;
  /** Options that were given before; they are told and the first counts. */
  doubled: string[];
}

/** No number in particular. */
const ANY_PORT = 0xffff_ffff;

function parseInterface(text: string): Wanted {
  // Commas that follow each other part nothing.
  const [name = '', ...options] = text.split(',').filter((word) => word !== '');
  const wanted: Wanted = { name, type: undefined, port: undefined, hasOthers: false, hasPeer: false, doubled: [] };
  const seen = new Set<string>();
  for (const option of options) {
    const [key = '', value = ''] = option.split('=', 2);
    if (key === 'type') wanted.type = value === '' ? 'system' : value;
    else if (key === 'port_no') {
      const number = (Number.parseInt(value, 10) || 0) >>> 0;
      wanted.port = number === ANY_PORT ? undefined : number;
    } else if (key !== '') {
      wanted.hasOthers = true;
      wanted.hasPeer ||= key === 'peer';
      if (seen.has(key)) wanted.doubled.push(said(`duplicate "${key}" option`));
      seen.add(key);
    }
  }
  return wanted;
}

/** Types of the ports of datapaths that commands made, by datapath and name. */
const types = new WeakMap<Datapath, Map<string, string>>();
const typesOf = (datapath: Datapath): Map<string, string> => {
  const known = types.get(datapath) ?? new Map<string, string>();
  types.set(datapath, known);
  return known;
};
/** The type that a command gave to a port. */
export const spareType = (datapath: Datapath, name: string): string | undefined => types.get(datapath)?.get(name);
const typeOf = (datapath: Datapath, { name, spec }: DpPortInfo): string =>
  typesOf(datapath).get(name) ?? (spec.kind === 'internal' ? 'tap' : spec.kind === 'tunnel' ? spec.protocol : 'system');

/** How a device is opened, or the words that say why not. */
function specOf(
  { devices, isOverridden, spare }: CommandParts,
  datapath: Datapath,
  { name, type = 'system', hasPeer }: Wanted,
): DpPortSpec | string {
  const cannotOpen = (reason: string): string => said(`${name}: failed to open network device`, reason);
  if (!spare.interfaceTypes.includes(type)) return cannotOpen(UNKNOWN);
  // The reference says no more than that.
  if (type === 'patch' && !hasPeer) return '';
  if (datapath.isSimulated === true && (isOverridden || type === 'dummy')) return { kind: 'dummy', device: name };
  if (isTunnel(type)) {
    const dstPort = STANDARD_PORTS[type];
    return { kind: 'tunnel', device: tunnelDevice(type, dstPort), protocol: type, dstPort };
  }
  if (type === 'tap') {
    const bytes = randomBytes(6);
    return {
      kind: 'internal',
      device: name,
      mac: [((bytes.readUInt32BE() & 0xfcffffff) | 0x02000000) >>> 0, bytes.readUInt16BE(4)],
      mtu: 1500,
    };
  }
  if (type !== 'system') return said(`adding ${name} to ${fullName(datapath)} failed`, 'Invalid argument');
  if (!devices.exists(name)) return cannotOpen('No such device');
  return name === LOOPBACK ? said(`adding ${name} to ${fullName(datapath)} failed`, 'Invalid argument') : { kind: 'system', device: name };
}

/** The type of a simulated device of that name, whichever datapath has it; undefined when there is none. */
function simulatedType(parts: CommandParts, name: string): string | undefined {
  for (const datapath of allDatapaths(parts)) {
    if (datapath.isSimulated !== true) continue;
    if (datapath.name === name) return 'dummy-internal';
    const info = [...datapath.ports()].find((one) => one.name === name);
    if (info === undefined) continue;
    const live = [...parts.reconciler.bridges.values()].find((one) => one.ports.has(name))?.ports.get(name)?.type;
    return typesOf(datapath).get(name) ?? (live === 'internal' ? 'dummy-internal' : (live ?? typeOf(datapath, info)));
  }
  return undefined;
}

/** Whether the name is that of a device of another type. */
function differs(parts: CommandParts, datapath: Datapath, { name, type }: Wanted): boolean {
  if (name === datapath.name && datapath.isSimulated !== true) return true;
  const known = datapath.isSimulated === true ? simulatedType(parts, name) : typesOf(datapath).get(name);
  return known !== undefined && known !== (type ?? (datapath.isSimulated === true ? 'system' : known));
}

/** Adds devices to the datapath that was called `called`; gives what went wrong, and what is only told. */
async function addInterfaces(parts: CommandParts, datapath: Datapath, called: string, texts: readonly string[]): Promise<Told> {
  const faults: string[] = [];
  const told: string[] = [];
  for (const text of texts) {
    const wanted = parseInterface(text);
    const { name, port } = wanted;
    const fail = (words: string): void => {
      faults.push(words);
      told.push(words);
    };
    const fault = (reason: string): void => fail(said(`adding ${name} to ${called} failed`, reason));
    if (name === '') {
      fail(said(' is not a valid network device name'));
      continue;
    }
    told.push(...wanted.doubled);
    const spec = specOf(parts, datapath, wanted);
    const isTaken = port !== undefined && (port === 0 || [...datapath.ports()].some((one) => one.port === port));
    if (differs(parts, datapath, wanted)) fail(said(`${name}: failed to open network device`, 'File exists'));
    else if (typeof spec === 'string') fail(spec);
    else if (isTaken) fault('Device or resource busy');
    else if (name === datapath.name || [...datapath.ports()].some((one) => one.name === name)) fault('File exists');
    else {
      try {
        await datapath.portAdd(spec, port);
        typesOf(datapath).set(name, wanted.type ?? 'system');
      } catch (error) {
        fault(reasonOf(error));
      }
    }
  }
  return { hasFailed: faults.length > 0, lines: told };
}

/** Changes a device, of which type and number must stay; `called`: what the datapath was called. */
function setInterface(parts: CommandParts, datapath: Datapath, called: string, text: string): { fault?: string; warning?: string } {
  const { name, hasOthers } = parseInterface(text);
  if (name === '') return { warning: said(' is not a valid network device name') };
  const info = [...datapath.ports()].find((one) => one.name === name);
  const isOwn = name === datapath.name && datapath.isSimulated === true;
  if (info === undefined && !isOwn) return { fault: said(`${name}: failed to query port in ${called}`, 'No such device') };
  const known = datapath.isSimulated === true ? simulatedType(parts, name) : undefined;
  const type = known ?? (info === undefined ? 'dummy-internal' : typeOf(datapath, info));
  const port = info?.port ?? 0;
  for (const option of text.split(',').slice(1)) {
    const [key = '', value = ''] = option.split('=', 2);
    if (key === 'type' && value !== type) return { fault: said(`${name}: can't change type from ${type} to ${value}`) };
    const number = key === 'port_no' ? (Number.parseInt(value, 10) || 0) | 0 : port;
    if (number !== port) return { fault: said(`${name}: can't change port number from ${port} to ${number}`) };
  }
  return hasOthers && info?.spec.kind === 'internal' ? { warning: said(`${name}: ${NOT_CONFIGURABLE}`) } : {};
}

async function deleteInterface(datapath: Datapath, word: string): Promise<string | undefined> {
  const isNumber = /^\d+$/.test(word);
  if (word === datapath.name || Number(word) === 0)
    return said(`deleting port ${word} from ${fullName(datapath)} failed`, 'Invalid argument');
  const info = [...datapath.ports()].find((one) => (isNumber ? one.port === Number(word) : one.name === word));
  if (info === undefined)
    return isNumber ? said(`deleting port ${word} from ${fullName(datapath)} failed`, 'No such device') : said(`no port named ${word}`);
  await datapath.portDelete(info.port);
  typesOf(datapath).delete(info.name);
  return undefined;
}

/** What a command says of the devices that it was given, one after the other. */
interface Told {
  hasFailed: boolean;
  lines: readonly string[];
}

/** The error that a command ends with, if anything went wrong; otherwise what it says. */
function tell({ hasFailed, lines }: Told): string {
  const text = lines.filter((line) => line !== '').join('\n');
  if (hasFailed) throw new ConfigError(text);
  return text;
}

/** Registers them. */
export function registerSpareCommands(parts: CommandParts): void {
  const { spare, host } = parts;
  const ANY = Number.POSITIVE_INFINITY;
  /** One that a command made: those of bridges are left as they are. */
  const isBridges = (datapath: Datapath): boolean => [...host.datapaths()].includes(datapath);
  const refuseBridges = (datapath: Datapath, text: string): void => {
    if (isBridges(datapath)) throw new ConfigError(said(text, 'Operation not permitted'));
  };
  registerDpctl(parts, 'add-dp', 'dp [iface...]', 1, ANY, async ([text = '', ...interfaces]) => {
    const full = text.includes('@') ? text.replace(/^@/, 'system@') : `system@${text}`;
    const [type = '', name = ''] = full.split('@');
    if (allDatapaths(parts).some((one) => fullName(one) === full)) throw new ConfigError(said('add_dp', 'File exists'));
    const fault = text === '' ? 'Invalid argument' : openFault(parts, full);
    if (fault !== 'No such device') throw new ConfigError(said('add_dp', fault));
    // Its own port is an internal device, where all are simulated.
    const taken = parts.isOverridden || type === 'dummy' ? simulatedType(parts, name) : undefined;
    if (taken !== undefined && taken !== 'dummy-internal') throw new ConfigError(said('add_dp', 'File exists'));
    const datapath = spare.open(type, name);
    return tell(await addInterfaces(parts, datapath, text, interfaces));
  });
  registerDpctl(parts, 'del-dp', 'dp', 1, 1, async ([text = '']) => {
    const datapath = openedDatapath(parts, text);
    // A bridge's goes with its bridges.
    if (!isBridges(datapath)) await spare.close(datapath);
    return '';
  });
  registerDpctl(parts, 'add-if', 'dp iface...', 2, ANY, async ([text = '', ...interfaces]) => {
    const datapath = openedDatapath(parts, text);
    refuseBridges(datapath, `adding ${parseInterface(interfaces[0] ?? '').name} to ${fullName(datapath)} failed`);
    return tell(await addInterfaces(parts, datapath, text, interfaces));
  });
  registerDpctl(parts, 'set-if', 'dp iface...', 2, ANY, ([text = '', ...interfaces]) => {
    const datapath = openedDatapath(parts, text);
    const done = interfaces.map((one) => setInterface(parts, datapath, text, one));
    return tell({
      hasFailed: done.some(({ fault }) => fault !== undefined),
      lines: done.flatMap(({ fault, warning }) => fault ?? warning ?? []),
    });
  });
  registerDpctl(parts, 'del-if', 'dp iface...', 2, ANY, async ([text = '', ...words]) => {
    const datapath = openedDatapath(parts, text);
    const isBridge = isBridges(datapath);
    const faults: string[] = [];
    for (const word of words) {
      const isThere = [...datapath.ports()].some((one) => one.name === word || one.port === Number(word));
      const refused = said(`deleting port ${word} from ${fullName(datapath)} failed`, 'Operation not permitted');
      const fault = isBridge && isThere ? refused : await deleteInterface(datapath, word);
      if (fault !== undefined) faults.push(fault);
    }
    return tell({ hasFailed: faults.length > 0, lines: faults });
  });
}
