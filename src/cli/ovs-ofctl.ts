// ovs-ofctl: looks into OpenFlow switches and changes their flows. Commands and options: ovs-ofctl(8).
import { ConfigError, PeerError } from '../base/errors.ts';
import { versionText } from '../base/version.ts';
import { setVlanLimit } from '../flow/extract.ts';
import { setColors } from '../flow/text-colors.ts';
import { keysFromOptions, reportKeyFault, setTlsKeys } from '../host/sockets/tls-keys.ts';
import { commandNamed } from './ofctl/command-table.ts';
import type { FlowOptions } from './ofctl/flows.ts';
import {
  applyLogOptions,
  BACKGROUND_OPTIONS,
  fail,
  LOG_OPTIONS,
  type OptionSpec,
  optionList,
  parseSeconds,
  parseUntilFault,
  SSL_OPTIONS,
  setAlarm,
  startToolLog,
  UsageError,
} from './options.ts';

const PROGRAM = 'ovs-ofctl';
/** In the order of the reference, in which `--option` lists them. */
const OPTIONS: readonly OptionSpec[] = [
  { name: 'timeout', short: 't', argument: 'required' },
  { name: 'strict' },
  { name: 'readd' },
  { name: 'flow-format', short: 'F', argument: 'required' },
  { name: 'packet-in-format', short: 'P', argument: 'required' },
  { name: 'more', short: 'm' },
  { name: 'timestamp' },
  { name: 'sort', argument: 'optional' },
  { name: 'rsort', argument: 'optional' },
  { name: 'names' },
  { name: 'no-names' },
  { name: 'stats' },
  { name: 'no-stats' },
  { name: 'unixctl', argument: 'required' },
  { name: 'help', short: 'h' },
  { name: 'option', short: 'o' },
  { name: 'bundle' },
  { name: 'color', argument: 'optional' },
  { name: 'may-create' },
  { name: 'pcap' },
  { name: 'raw' },
  { name: 'read-only' },
  ...BACKGROUND_OPTIONS,
  { name: 'version', short: 'V' },
  { name: 'protocols', short: 'O', argument: 'required' },
  ...LOG_OPTIONS,
  // Who connects shows a certificate, and judges by one CA.
  ...SSL_OPTIONS.filter(({ name }) => !name.endsWith('-ca-cert')),
];

const VERSION_NAMES = ['OpenFlow10', 'OpenFlow11', 'OpenFlow12', 'OpenFlow13', 'OpenFlow14', 'OpenFlow15'];

function parseVersions(text: string): number {
  let bits = 0;
  for (const name of text.split(/[, ]+/).filter((part) => part !== '')) {
    const index = VERSION_NAMES.findIndex((known) => known.toLowerCase() === name.toLowerCase().replace('.', ''));
    if (index < 0) throw new ConfigError(`Unknown OpenFlow version: "${name}"`);
    bits |= 1 << (index + 1);
  }
  return bits;
}

/** Leaves the versions that have one of the flow formats. Throws ConfigError when there is none. */
async function narrowVersions(line: FlowOptions, formats: readonly string[]): Promise<void> {
  const { allowedProtocols, protocolNames } = await import('../openflow/protocols.ts');
  const bits = VERSION_NAMES.map((_, i) => 1 << (i + 1)).filter((bit) => (line.versions & bit) !== 0);
  const fit = bits.filter((bit) => allowedProtocols(bit, formats).length > 0);
  if (fit.length === 0) {
    const versions = VERSION_NAMES.filter((_, i) => (line.versions & (1 << (i + 1))) !== 0).join(', ');
    throw new ConfigError(
      `None of the enabled OpenFlow versions (${versions}) supports any of the enabled flow formats (${protocolNames(allowedProtocols(-1, formats))}).  (Use -O to enable additional OpenFlow versions or -F to enable additional flow formats.)`,
    );
  }
  line.versions = fit.reduce((all, bit) => all | bit, 0);
}

/** --color: always, never, or as without a word at a terminal. */
function chooseColors(when: string): void {
  const word = when.toLowerCase();
  const isAlways = ['always', 'yes', 'force'].includes(word);
  const isAuto = ['auto', 'tty', 'if-tty'].includes(word);
  if (!isAlways && !isAuto && !['never', 'no', 'none'].includes(word)) throw new ConfigError(`incorrect value \`${when}' for --color`);
  setColors(isAlways || (isAuto && process.stdout.isTTY === true) ? (process.env['OVS_COLORS'] ?? '') : undefined);
}

interface Line {
  options: FlowOptions;
  operands: string[];
}

async function parseLine(argv: string[]): Promise<Line | number> {
  const output = startToolLog(PROGRAM);
  output.settings.setLevel(undefined, 'console', 'info');
  const { options, operands, fault } = parseUntilFault(argv, OPTIONS);
  setTlsKeys(keysFromOptions(options));
  const line: FlowOptions = {
    versions: 2,
    useNicira: true,
    strict: false,
    readOnly: false,
    verbosity: 0,
    names: undefined,
    showStats: true,
    sort: [],
    protocols: undefined,
  };
  const sort: { key: string; descending: boolean }[] = [];
  setColors(undefined);
  for (const option of options) {
    const { name, value: given } = option;
    const value = given ?? '';
    applyLogOptions([option], output);
    reportKeyFault(option);
    if (name === 'help') {
      process.stdout.write((await import('./ofctl/usage.ts')).usage());
      return 0;
    }
    if (name === 'option') {
      process.stdout.write(optionList(OPTIONS));
      return 0;
    }
    if (name === 'version') {
      process.stdout.write(`${versionText(PROGRAM)}\nOpenFlow versions 0x1:0x6\n`);
      return 0;
    }
    if (name === 'timeout') {
      const seconds = parseSeconds(value);
      if (seconds === undefined || seconds === 0) throw new ConfigError(`value ${value} on -t or --timeout is invalid`);
      setAlarm(seconds);
    } else if (name === 'strict') line.strict = true;
    else if (name === 'bundle') line.bundle = true;
    else if (name === 'timestamp') line.timestamp = true;
    else if (name === 'pcap') line.pcap = true;
    else if (name === 'unixctl') line.unixctl = value;
    else if (name === 'packet-in-format') {
      const { parsePacketInFormat } = await import('./ofctl/packet-in-format.ts');
      line.packetInFormat = parsePacketInFormat(value);
    } else if (name === 'readd') line.readd = true;
    else if (name === 'may-create') line.mayCreate = true;
    else if (name === 'read-only') line.readOnly = true;
    else if (name === 'more') line.verbosity++;
    else if (name === 'protocols') line.versions = parseVersions(value);
    else if (name === 'flow-format') {
      const { PROTOCOLS, protocolIs } = await import('../openflow/protocols.ts');
      const wanted = value.split(',');
      for (const one of wanted) {
        if (!PROTOCOLS.some((protocol) => protocolIs(protocol, one))) throw new ConfigError(`${one}: unknown flow protocol`);
      }
      line.protocols = wanted;
      line.useNicira = wanted.some((one) => /^(nxm|any)/i.test(one));
    } else if (name === 'names') line.names = true;
    else if (name === 'no-names') line.names = false;
    else if (name === 'color') chooseColors(given ?? 'auto');
    else if (name === 'stats') line.showStats = true;
    else if (name === 'no-stats') line.showStats = false;
    else if (name === 'sort' || name === 'rsort') {
      const key = given ?? 'priority';
      const { fieldNamed } = await import('../flow/fields.ts');
      if (key !== 'priority' && fieldNamed(key) === undefined) throw new ConfigError(`${key}: unknown field name`);
      sort.push({ key, descending: name === 'rsort' });
    }
  }
  if (fault !== undefined) throw fault;
  line.sort = sort;
  if (line.bundle === true) line.versions = (await import('./ofctl/flow-send.ts')).bundleVersions(line.versions);
  if (line.protocols !== undefined) await narrowVersions(line, line.protocols);
  if (operands[0] === 'monitor' || operands[0] === 'snoop') {
    const { daemonSettings } = await import('../daemon/plumbing/options.ts');
    const { Background } = await import('./background.ts');
    line.background = new Background(PROGRAM, 'stderr', daemonSettings(PROGRAM, options), output);
    await line.background.enter();
  }
  return { options: line, operands };
}

async function run(argv: string[]): Promise<number> {
  // No switch's setting is known here: frames are shown with both of the tags that they may have.
  setVlanLimit(2);
  const line = await parseLine(argv);
  if (typeof line === 'number') return line;
  const { options, operands } = line;
  const [command, ...args] = operands;
  if (command === undefined) return fail(PROGRAM, 'missing command name; use --help for help');
  const known = commandNamed(command);
  if (known === undefined) return fail(PROGRAM, `unknown command '${command}'; use --help for help`);
  if (args.length < known.least) return fail(PROGRAM, `'${command}' command requires at least ${known.least} arguments`);
  if (args.length > known.most) return fail(PROGRAM, `'${command}' command takes at most ${known.most} arguments`);
  if (options.readOnly && known.writes) return fail(PROGRAM, `'${command}' command does not work in read only mode`);
  const { OFFLINE } = await import('./ofctl/offline.ts');
  const offline = OFFLINE.get(command);
  if (offline !== undefined) return offline(args, options);
  return execute(command, args, options);
}

async function execute(command: string, args: readonly string[], options: FlowOptions): Promise<number> {
  const [first = '', second, third] = args;
  const flows = () => import('./ofctl/flows.ts');
  const tables = () => import('./ofctl/tables.ts');
  const device = () => import('./ofctl/switch.ts');
  const groups = () => import('./ofctl/groups.ts');
  const meters = () => import('./ofctl/meters.ts');
  switch (command) {
    case 'show':
      return (await device()).show(first, options);
    case 'dump-desc':
      return (await device()).dump(first, options, { kind: 'descRequest' });
    case 'dump-tables':
      return (await device()).dump(first, options, { kind: 'tableStatsRequest' });
    case 'mod-port':
      return (await device()).modPort(first, second ?? '', third ?? '', options);
    case 'get-frags':
      return (await device()).getFrags(first, options);
    case 'set-frags':
      return (await device()).setFrags(first, second ?? '', options);
    case 'dump-ports':
      return (await device()).dumpPorts(first, second, options);
    case 'dump-ports-desc':
      return (await device()).dumpPortsDesc(first, second, options);
    case 'queue-stats':
      return (await device()).queueStats(first, second, third, options);
    case 'packet-out':
      if (args.length === 2) return (await import('./ofctl/packet-out.ts')).packetOutText(first, second ?? '', options);
      return (await import('./ofctl/packet-out.ts')).packetOut(first, args.slice(1), options);
    case 'monitor':
      return (await import('./ofctl/monitor.ts')).monitor(first, args.slice(1), options);
    case 'snoop':
      return (await import('./ofctl/monitor.ts')).snoop(first, options);
    case 'probe':
      return (await device()).probe(first, options);
    case 'ping':
      return (await device()).ping(first, second, options);
    case 'benchmark':
      return (await device()).benchmark(first, second ?? '', third ?? '', options);
    case 'dump-flows':
      return (await flows()).dumpFlows(first, second ?? '', options);
    case 'dump-aggregate':
      return (await flows()).dumpAggregate(first, second ?? '', options);
    case 'add-flow':
    case 'add-flows':
    case 'mod-flows': {
      const module = await flows();
      const kind = command === 'mod-flows' ? 'modify' : 'add';
      if (command === 'add-flows' || second === '-') return module.flowFileCommand(first, second ?? '', kind, options);
      return module.flowModCommand(first, second ?? '', kind, options);
    }
    case 'del-flows': {
      const module = await flows();
      if (second === '-') return module.flowFileCommand(first, '-', 'delete', options);
      return module.flowModCommand(first, second ?? '', 'delete', options);
    }
    case 'mod-table':
      return (await tables()).modTable(first, second ?? '', third ?? '', options);
    case 'dump-table-features':
      return (await tables()).dumpTableFeatures(first, options);
    case 'dump-ipfix-bridge':
      return (await device()).dump(first, options, { kind: 'ipfixBridgeRequest' });
    case 'dump-ipfix-flow':
      return (await device()).dump(first, options, { kind: 'ipfixFlowRequest' });
    case 'dump-table-desc':
      return (await tables()).dumpTableDesc(first, options);
    case 'queue-get-config':
      return (await tables()).queueGetConfig(first, second, third, options);
    case 'ct-flush-zone':
      return (await tables()).ctFlushZone(first, second ?? '', options);
    case 'ct-flush':
      return (await tables()).ctFlush(first, args.slice(1), options);
    case 'add-tlv-map':
      return (await tables()).modTlvMap(first, 'add', second ?? '', options);
    case 'del-tlv-map':
      return (await tables()).modTlvMap(first, 'delete', second, options);
    case 'dump-tlv-map':
      return (await tables()).dumpTlvMap(first, options);
    case 'bundle':
      return (await import('./ofctl/bundle-file.ts')).bundleCommand(first, second ?? '', options);
    case 'add-group':
      return (await groups()).groupModCommand(first, second ?? '', 'add', options);
    case 'add-groups':
      return (await groups()).groupFileCommand(first, second ?? '', undefined, options);
    case 'mod-group':
      return (await groups()).groupModCommand(first, second ?? '', options.mayCreate === true ? 'add_or_mod' : 'modify', options);
    case 'del-groups':
      return (await groups()).groupModCommand(first, second ?? '', 'delete', options);
    case 'insert-buckets':
      return (await groups()).groupModCommand(first, second ?? '', 'insert_bucket', options);
    case 'remove-buckets':
      return (await groups()).groupModCommand(first, second ?? '', 'remove_bucket', options);
    case 'dump-groups':
      return (await groups()).dumpGroups(first, second, options);
    case 'dump-group-stats':
      return (await groups()).dumpGroupStats(first, second ?? '', options);
    case 'dump-group-features':
      return (await device()).dump(first, options, { kind: 'groupFeaturesRequest' });
    case 'add-meter':
      return (await meters()).meterModCommand(first, second, 'add', options);
    case 'mod-meter':
      return (await meters()).meterModCommand(first, second, 'modify', options);
    case 'del-meter':
    case 'del-meters':
      return (await meters()).meterModCommand(first, second, 'delete', options);
    case 'dump-meter':
    case 'dump-meters':
      return (await meters()).meterRequest(first, second, 'meterConfigRequest', options);
    case 'meter-stats':
      return (await meters()).meterRequest(first, second, 'meterStatsRequest', options);
    case 'meter-features':
      return (await meters()).meterFeatures(first, options);
    case 'replace-flows':
      return (await import('./ofctl/flow-difference.ts')).replaceFlows(first, second ?? '', options);
    case 'diff-flows':
      return (await import('./ofctl/flow-difference.ts')).diffFlows(first, second ?? '', options);
  }
  throw new Error(`the table of commands has '${command}', and nothing does it`);
}

/** Runs the tool. */
export async function main(argv: string[]): Promise<number> {
  try {
    return await run(argv);
  } catch (error) {
    const { closeSessions, SwitchRefusal } = await import('./ofctl/session.ts');
    closeSessions();
    if (error instanceof SwitchRefusal) {
      process.stderr.write(error.message);
      return 1;
    }
    if (error instanceof UsageError) return fail(PROGRAM, error.message);
    if (error instanceof ConfigError || error instanceof PeerError) return fail(PROGRAM, error.message);
    throw error;
  }
}
