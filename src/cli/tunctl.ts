// tunctl: makes and removes persistent TUN and TAP devices (tunctl(8) of uml-utilities).
import { readFileSync } from 'node:fs';
import { errorText, KernelError } from '../base/errors.ts';
import { check, E, libc } from '../host/ffi.ts';
import { type OptionSpec, parseOptions, UsageError } from './options.ts';

const OPTIONS: readonly OptionSpec[] = [
  { name: 'brief', short: 'b' },
  { name: 'delete', short: 'd', argument: 'required' },
  { name: 'file', short: 'f', argument: 'required' },
  { name: 'group', short: 'g', argument: 'required' },
  { name: 'help', short: 'h' },
  { name: 'tun', short: 'n' },
  { name: 'point-to-point', short: 'p' },
  { name: 'name', short: 't', argument: 'required' },
  { name: 'user', short: 'u', argument: 'required' },
];

const USAGE = `Create: tunctl [-b] [-u owner] [-g group] [-t device-name] [-p|-n] [-f tun-clone-device]
Delete: tunctl -d device-name [-f tun-clone-device]

The default tun clone device is /dev/net/tun - some systems use
/dev/misc/net/tun instead

-b will result in brief output (just the device name)
-n will result in a point-to-point tun device, -p in ethernet tap. Default is a tap.
`;

const O_RDWR = 2;
const TUNSETIFF = 0x400454ca;
const TUNSETPERSIST = 0x400454cb;
const TUNSETOWNER = 0x400454cc;
const TUNSETGROUP = 0x400454ce;
const IFF_TUN = 1;
const IFF_TAP = 2;
const IFF_NO_PI = 0x1000;
const MAX_NAME = 15;

/** The number of a user or group: digits, or a name of `/etc/passwd` or `/etc/group`. */
function idOf(name: string, file: string): number | undefined {
  if (/^\d+$/.test(name)) return Number(name);
  for (const line of readFileSync(file, 'utf8').split('\n')) {
    const fields = line.split(':');
    if (name !== '' && fields[0] === name) return Number(fields[2]);
  }
  return undefined;
}

/** Opens or makes a device; gives its descriptor and its name. */
function openDevice(cloneDevice: string, name: string, flags: number): { fd: number; name: string } {
  const c = libc();
  const fd = check(`Failed to open '${cloneDevice}'`, c.open(cloneDevice, O_RDWR, 0));
  const request = new Uint8Array(40);
  request.set(Buffer.from(name).subarray(0, MAX_NAME));
  new DataView(request.buffer).setUint16(16, flags, true);
  if (c.ioctl(fd, TUNSETIFF, request) < 0) check('TUNSETIFF', -1);
  return { fd, name: Buffer.from(request.subarray(0, request.indexOf(0))).toString() };
}

/** Opens a device to delete, of whichever kind it is. */
function openExisting(cloneDevice: string, name: string): { fd: number; name: string } {
  try {
    return openDevice(cloneDevice, name, IFF_TAP | IFF_NO_PI);
  } catch (error) {
    if (!(error instanceof KernelError) || error.errno !== E.INVAL) throw error;
    return openDevice(cloneDevice, name, IFF_TUN | IFF_NO_PI);
  }
}

/** Runs the tool. */
export function main(argv: string[]): number {
  let name = '';
  let mode: 'create' | 'delete' = 'create';
  let isBrief = false;
  let cloneDevice = '/dev/net/tun';
  let kind = IFF_TAP;
  let owner: number | undefined;
  let group: number | undefined;
  try {
    const { options, operands } = parseOptions(argv, OPTIONS);
    if (operands.length > 0) throw new UsageError(`unexpected argument '${operands[0]}'`);
    for (const { name: option, value = '' } of options) {
      if (option === 'help') {
        process.stdout.write(USAGE);
        return 0;
      }
      if (option === 'brief') isBrief = true;
      else if (option === 'file') cloneDevice = value;
      else if (option === 'tun') kind = IFF_TUN;
      else if (option === 'point-to-point') kind = IFF_TAP;
      else if (option === 'delete' || option === 'name') {
        name = value;
        if (option === 'delete') mode = 'delete';
        if (value === '' || Buffer.byteLength(value) > MAX_NAME) throw new UsageError(`'${value}' is no name for a device`);
      } else if (option === 'user') {
        owner = idOf(value, '/etc/passwd');
        if (owner === undefined) throw new UsageError(`'${value}' is neither a username nor a numeric uid.`);
      } else if (option === 'group') {
        group = idOf(value, '/etc/group');
        if (group === undefined) throw new UsageError(`'${value}' is neither a groupname nor a numeric group.`);
      }
    }
  } catch (error) {
    process.stderr.write(`tunctl: ${errorText(error)}\n${error instanceof UsageError ? USAGE : ''}`);
    return 1;
  }
  try {
    const c = libc();
    const device = mode === 'delete' ? openExisting(cloneDevice, name) : openDevice(cloneDevice, name, kind | IFF_NO_PI);
    if (mode === 'delete') {
      check('disabling TUNSETPERSIST', c.ioctlInt(device.fd, TUNSETPERSIST, 0));
      process.stdout.write(`Set '${device.name}' nonpersistent\n`);
    } else {
      // Owned by a group alone when only one is named; by whoever runs this when nobody is.
      if (owner === undefined && group === undefined) owner = process.getuid?.() ?? 0;
      if (owner !== undefined) check('TUNSETOWNER', c.ioctlInt(device.fd, TUNSETOWNER, owner));
      if (group !== undefined) check('TUNSETGROUP', c.ioctlInt(device.fd, TUNSETGROUP, group));
      check('enabling TUNSETPERSIST', c.ioctlInt(device.fd, TUNSETPERSIST, 1));
      if (isBrief) process.stdout.write(`${device.name}\n`);
      else {
        const uid = owner === undefined ? '' : ` uid ${owner}`;
        const gid = group === undefined ? '' : ` gid ${group}`;
        process.stdout.write(`Set '${device.name}' persistent and owned by${uid}${gid}\n`);
      }
    }
    c.close(device.fd);
    return 0;
  } catch (error) {
    const hint = process.getuid?.() === 0 ? '' : ' (making devices needs root)';
    process.stderr.write(`tunctl: ${errorText(error)}${hint}\n`);
    return 1;
  }
}
