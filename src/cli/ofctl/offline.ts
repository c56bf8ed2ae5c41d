// The commands of ovs-ofctl that need no switch, by name. What they are made of is loaded when they run.
import type { FlowOptions } from './flows.ts';

type Run = (args: readonly string[], options: FlowOptions) => Promise<number>;

const parse = () => import('./parse-commands.ts');
const print = () => import('./print-commands.ts');

async function write(text: (usage: typeof import('./usage.ts')) => string): Promise<number> {
  process.stdout.write(text(await import('./usage.ts')));
  return 0;
}

async function parseFlow(text: string, options: FlowOptions): Promise<number> {
  const flows = await import('./flows.ts');
  const { parseFlow: read } = await import('../../openflow/text/flow-text.ts');
  const mod = read(text, 'add');
  const { checkFlow } = await import('../../openflow/protocols.ts');
  checkFlow(mod);
  return flows.parseFlowsCommand([mod], options);
}

async function parseFlows(path: string, options: FlowOptions): Promise<number> {
  const flows = await import('./flows.ts');
  return flows.parseFlowsCommand(flows.parseFlowFile(path, flows.flowLines(path), 'add', undefined, 'flows'), options);
}

const entries: Run = async ([version], { strict, verbosity }) => (await parse()).parseEntriesCommand(version, strict, verbosity > 0);

/** These commands. */
export const OFFLINE: ReadonlyMap<string, Run> = new Map<string, Run>([
  ['help', () => write(({ usage }) => usage())],
  ['list-commands', () => write(({ commandList }) => commandList())],
  ['parse-flow', ([text = ''], options) => parseFlow(text, options)],
  ['parse-flows', ([path = ''], options) => parseFlows(path, options)],
  ['parse-group', async ([text = ''], options) => (await import('./groups.ts')).parseGroupCommand(text, options)],
  ['parse-nx-match', entries],
  ['parse-nxm', entries],
  ['parse-oxm', entries],
  ['parse-actions', async ([version = '']) => (await parse()).parseActionsCommand(version)],
  ['parse-instructions', async ([version = '']) => (await parse()).parseInstructionsCommand(version)],
  ['parse-ofp10-match', async () => (await parse()).parseFixedMatchCommand(true)],
  ['parse-ofp11-match', async () => (await parse()).parseFixedMatchCommand(false)],
  ['check-vlan', async ([tci = '', mask = '']) => (await parse()).checkVlanCommand(tci, mask)],
  ['print-error', async ([name = '']) => (await parse()).printErrorCommand(name)],
  ['encode-error-reply', async ([name = '', request = '']) => (await parse()).encodeErrorReplyCommand(name, request)],
  ['encode-hello', async ([versions = '']) => (await parse()).encodeHelloCommand(versions)],
  ['parse-key-value', async (strings) => (await parse()).parseKeyValueCommand(strings)],
  ['ofp-print', async ([hex = '', verbosity]) => (await print()).ofpPrint(hex, verbosity)],
  ['ofp-parse', async ([path = ''], { verbosity }) => (await print()).ofpParse(path, verbosity)],
  [
    'compose-packet',
    async ([flow = '', payload], { pcap }) => (await import('./compose-packet.ts')).composePacketCommand(flow, payload, pcap === true),
  ],
  ['parse-pcap', async (paths) => (await import('./pcap.ts')).parsePcapCommand(paths)],
  [
    'ofp-parse-pcap',
    async ([path = '', ...ports], { verbosity, timestamp = false }) =>
      (await import('./pcap.ts')).ofpParsePcapCommand(path, ports, { verbosity, timestamp }),
  ],
  ['parse-packet', async () => (await print()).parsePacketCommand()],
]);
