// A lab is data: hosts joined by networks, machines behind taps, and steps with their checks. This file says what may stand in a lab file
// and turns YAML into a `Lab`; a mistake is reported with line, column and what would be right.
import { readFileSync } from 'node:fs';
import { LineCounter, parseDocument, type YAMLError } from 'yaml';
import { z } from 'zod';
import { parseIpv4, parseMac } from '../base/addresses.ts';
import { ConfigError } from '../base/errors.ts';

const name = z.string().regex(/^[a-z][a-z0-9-]{0,14}$/, 'a name is a lower-case letter, then up to 14 letters, digits or dashes');
const device = z.string().regex(/^[A-Za-z0-9_.-]{1,15}$/, 'a device name has 1 to 15 letters, digits, dots, dashes');
const seconds = z.number().positive().max(600);
const text = z.string().min(1);
const ipv4 = z.string().refine((value) => parseIpv4(value) !== undefined, 'an IPv4 address such as 192.168.2.1');
const subnet = z.string().refine((value) => {
  const [address = '', bits = '', ...rest] = value.split('/');
  return parseIpv4(address) !== undefined && /^\d{1,2}$/.test(bits) && Number(bits) <= 32 && rest.length === 0;
}, 'an IPv4 address with its prefix length, such as 192.168.2.2/24');
const mac = z.string().refine((value) => parseMac(value) !== undefined, 'a MAC address such as 50:54:00:00:00:01');
const commands = z
  .union([text, z.array(text).min(1)])
  .transform((value) => (typeof value === 'string' ? value.split('\n') : value).map((line) => line.trim()).filter((line) => line !== ''));

const host = z.strictObject({
  about: text.optional(),
  interfaces: z.record(device, z.strictObject({ network: name, address: subnet.optional() })).default({}),
  addresses: z.array(subnet).default([]).describe('further addresses, on the loopback device'),
  gateway: ipv4.optional(),
  directories: z.array(z.string().startsWith('/')).default([]).describe('folders that are empty and this host’s own'),
  environment: z.record(z.string().regex(/^[A-Z_][A-Z0-9_]*$/, 'a variable name in capitals'), z.string()).default({}),
});

const network = z.strictObject({ about: text.optional(), mtu: z.number().int().min(576).max(65000).optional() });

const machine = z.strictObject({
  about: text.optional(),
  host: name,
  tap: device.describe('the tap on the host that the machine opens'),
  address: subnet,
  gateway: ipv4.optional(),
  mac: mac.optional(),
});

const action = z.union([
  z.strictObject({ on: name, run: commands.describe('commands, one a line, each must exit 0') }),
  z.strictObject({ on: name, background: text.describe('a command that keeps running') }),
  z.strictObject({ start: name.describe('a machine to start') }),
]);

const answers = z.boolean().default(true).describe('false: it must get no answer');
const check = z.union([
  z.strictObject({ ping: z.strictObject({ from: name, to: ipv4, answers }), within: seconds.optional(), what: text.optional() }),
  z.strictObject({
    http: z.strictObject({ from: name, url: z.string().startsWith('http://'), contains: text.optional(), answers }),
    within: seconds.optional(),
    what: text.optional(),
  }),
  z.strictObject({
    tcp: z.strictObject({
      from: name,
      to: name,
      megabytes: z.number().positive().max(10_000).default(64),
      atLeast: z.number().positive().optional(),
    }),
    within: seconds.optional(),
    what: text.optional(),
  }),
  z.strictObject({
    output: z.strictObject({
      on: name,
      run: text,
      is: z.string().optional(),
      contains: text.optional(),
      lacks: text.optional(),
      matches: text.optional(),
    }),
    within: seconds.optional(),
    what: text.optional(),
  }),
]);

const step = z.strictObject({
  title: text,
  why: text.optional(),
  essential: z.boolean().default(false).describe('true: when it fails, the steps after it are not tried'),
  do: z.array(action).default([]),
  check: z.array(check).default([]),
});

const lab = z.strictObject({
  name,
  title: text,
  about: text.optional(),
  networks: z.record(name, network).default({}),
  hosts: z.record(name, host),
  machines: z.record(name, machine).default({}),
  steps: z.array(step).min(1),
});

/** A lab as its file describes it, with defaults filled in. */
export type Lab = z.infer<typeof lab>;
export type LabHost = Lab['hosts'][string];
export type LabMachine = Lab['machines'][string];
export type Step = Lab['steps'][number];
export type Action = Step['do'][number];
export type Check = Step['check'][number];

/** One mistake in a lab file. */
interface Fault {
  path: (string | number)[];
  message: string;
}

/** JSON Schema of a lab file, for editors. */
export function labJsonSchema(): unknown {
  return z.toJSONSchema(lab, { io: 'input', unrepresentable: 'any' });
}

/** Reads and validates a lab file; throws ConfigError whose message has one line a mistake, `FILE:LINE:COLUMN: what and what instead`. */
export function readLab(file: string): Lab {
  let source: string;
  try {
    source = readFileSync(file, 'utf8');
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    throw new ConfigError(
      `${file}: ${code === 'ENOENT' ? 'no such lab file; weft lab --list shows those that come with Weft' : (error as Error).message}`,
    );
  }
  return parseLab(source, file);
}

/** Validates the text of a lab file; `file` is named in messages. */
export function parseLab(source: string, file: string): Lab {
  const lines = new LineCounter();
  // Aliases are refused beyond a few, so that a small file cannot unfold into a huge one.
  const document = parseDocument(source, { lineCounter: lines, uniqueKeys: true, prettyErrors: false });
  if (document.errors.length > 0) throw new ConfigError(document.errors.map((error) => yamlFault(error, file, lines)).join('\n'));
  let value: unknown;
  try {
    value = document.toJS({ maxAliasCount: 50 });
  } catch (error) {
    throw new ConfigError(`${file}: ${(error as Error).message}`);
  }
  const parsed = lab.safeParse(value, { reportInput: true });
  const faults = parsed.success ? unknownNames(parsed.data) : parsed.error.issues.flatMap((issue) => describe(issue, []));
  if (faults.length > 0 || !parsed.success) {
    const at = (path: (string | number)[]): string => {
      // The nearest node that exists: a missing key has no place of its own.
      for (let length = path.length; length >= 0; length--) {
        const node = length === 0 ? document.contents : document.getIn(path.slice(0, length), true);
        const range = (node as { range?: [number, number, number] } | undefined)?.range;
        if (range) {
          const { line, col } = lines.linePos(range[0]);
          return `${file}:${line}:${col}`;
        }
      }
      return `${file}:1:1`;
    };
    throw new ConfigError(faults.map((fault) => `${at(fault.path)}: ${fault.message}`).join('\n'));
  }
  return parsed.data;
}

function yamlFault(error: YAMLError, file: string, lines: LineCounter): string {
  const { line, col } = lines.linePos(error.pos[0]);
  return `${file}:${line}:${col}: ${error.message}`;
}

type Issue = z.core.$ZodIssue;

/** One zod issue in words; of the branches of a union, the one that got furthest speaks. */
function describe(issue: Issue, base: (string | number)[]): Fault[] {
  const path = [...base, ...issue.path.filter((part) => typeof part !== 'symbol')] as (string | number)[];
  const where =
    path.length === 0
      ? 'the lab'
      : path
          .map((part) => (typeof part === 'number' ? `[${part}]` : `.${part}`))
          .join('')
          .replace(/^\./, '');
  if (issue.code === 'invalid_union') {
    const depth = (branch: readonly Issue[]): number =>
      Math.max(...branch.map((one) => one.path.length + (one.code === 'unrecognized_keys' ? 0 : 1)));
    const wrongKeys = (branch: readonly Issue[]): boolean =>
      branch.some((one) => one.code === 'unrecognized_keys' && one.path.length === 0);
    const fitting = issue.errors.filter((branch) => !wrongKeys(branch));
    const best = [...(fitting.length > 0 ? fitting : issue.errors)].sort((a, b) => depth(b) - depth(a))[0];
    if (fitting.length === 0 && path.includes('check'))
      return [{ path, message: `${where}: a check is one of ping, http, tcp, output, and may have within and what` }];
    if (fitting.length === 0 && path.includes('do'))
      return [{ path, message: `${where}: an action is {on, run}, {on, background} or {start}` }];
    return (best ?? []).flatMap((one) => describe(one, path));
  }
  if (issue.code === 'unrecognized_keys')
    return issue.keys.map((key) => ({ path: [...path, key], message: `${where}: unknown key '${key}'` }));
  if (issue.code === 'invalid_key') return [{ path, message: `${where}: ${issue.issues[0]?.message ?? 'not a name that can stand here'}` }];
  if (issue.code === 'invalid_type' && issue.input === undefined)
    return [{ path, message: `${where} is missing: a ${issue.expected} must stand here` }];
  return [{ path, message: `${where}: ${issue.message}` }];
}

/** Names that point nowhere. */
function unknownNames(found: Lab): Fault[] {
  const faults: Fault[] = [];
  const hosts = Object.keys(found.hosts);
  const machines = Object.keys(found.machines);
  const places = [...hosts, ...machines];
  const want = (value: string, among: string[], kind: string, path: (string | number)[]): void => {
    if (!among.includes(value))
      faults.push({
        path,
        message: `no ${kind} is named '${value}'; there ${among.length === 1 ? 'is' : 'are'} ${among.join(', ') || 'none'}`,
      });
  };
  for (const machineName of machines)
    if (hosts.includes(machineName))
      faults.push({ path: ['machines', machineName], message: `'${machineName}' is a host already; a machine needs another name` });
  for (const [hostName, it] of Object.entries(found.hosts)) {
    for (const [dev, { network: net }] of Object.entries(it.interfaces))
      want(net, Object.keys(found.networks), 'network', ['hosts', hostName, 'interfaces', dev, 'network']);
  }
  for (const [machineName, it] of Object.entries(found.machines)) want(it.host, hosts, 'host', ['machines', machineName, 'host']);
  for (const [i, one] of found.steps.entries()) {
    for (const [j, act] of one.do.entries()) {
      if ('start' in act) want(act.start, machines, 'machine', ['steps', i, 'do', j, 'start']);
      else want(act.on, places, 'host or machine', ['steps', i, 'do', j, 'on']);
    }
    for (const [j, it] of one.check.entries()) {
      const path = ['steps', i, 'check', j];
      if ('ping' in it) want(it.ping.from, places, 'host or machine', [...path, 'ping', 'from']);
      else if ('http' in it) want(it.http.from, places, 'host or machine', [...path, 'http', 'from']);
      else if ('tcp' in it) {
        want(it.tcp.from, places, 'host or machine', [...path, 'tcp', 'from']);
        want(it.tcp.to, places, 'host or machine', [...path, 'tcp', 'to']);
      } else {
        want(it.output.on, places, 'host or machine', [...path, 'output', 'on']);
        if (it.output.matches !== undefined && !isPattern(it.output.matches))
          faults.push({ path: [...path, 'output', 'matches'], message: 'this is no regular expression' });
      }
    }
  }
  return faults;
}

function isPattern(source: string): boolean {
  try {
    new RegExp(source);
    return true;
  } catch {
    return false;
  }
}
