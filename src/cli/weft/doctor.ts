// `weft doctor`: what this machine offers Weft, what is missing and what to do about it. Looks and tries, but changes nothing that stays.
import { closeSync, constants, openSync, readFileSync, statfsSync, statSync } from 'node:fs';
import { release } from 'node:os';
import { errorText } from '../../base/errors.ts';
import type { Tool } from '../main.ts';

const USAGE = `usage: weft doctor
Says what this machine offers and what is missing, with a remedy for each.
Exits with 0 when the switch can run, 1 when it cannot, 2 for a wrong command line.
`;

interface Check {
  name: string;
  /** Without it the switch does not run at all. */
  isNeeded: boolean;
  remedy: string;
  /** What was found; throws what is wrong. */
  look(): string | Promise<string>;
}

/** Bits of CapEff in /proc/self/status, linux/capability.h. */
const CAPABILITIES = [
  ['CAP_NET_ADMIN', 12],
  ['CAP_NET_RAW', 13],
] as const;

const BPF_FS_MAGIC = 0xcafe4a11;
/** Major 10, minor 200: Documentation/admin-guide/devices.txt. */
const TUN_DEVICE = (10 << 8) | 200;

const checks: Check[] = [
  {
    name: 'runtime',
    isNeeded: true,
    remedy: "run 'npm ci' in Weft's folder and start the tools from its bin/",
    look() {
      const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
      const text = `Node.js ${process.versions.node} on ${process.arch}`;
      if (major < 22 || (major === 22 && minor < 18)) throw new Error(`${text} cannot run TypeScript`);
      return text;
    },
  },
  {
    name: 'system calls',
    isNeeded: true,
    remedy: "run 'npm ci' in Weft's folder: the package koffi did not come with a library for this machine",
    async look() {
      const { libc } = await import('../../host/ffi.ts');
      libc();
      return 'koffi reaches libc';
    },
  },
  {
    name: 'privileges',
    isNeeded: true,
    remedy: 'run as root, or in a container with --cap-add=NET_ADMIN --cap-add=NET_RAW',
    look() {
      const text = /^CapEff:\s*([0-9a-f]+)/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1] ?? '0';
      const missing = CAPABILITIES.filter(([, bit]) => ((BigInt(`0x${text}`) >> BigInt(bit)) & 1n) === 0n).map(([name]) => name);
      if (missing.length > 0) throw new Error(`lacking ${missing.join(' and ')}`);
      return CAPABILITIES.map(([name]) => name).join(' and ');
    },
  },
  {
    name: 'TUN',
    isNeeded: true,
    remedy: "'modprobe tun', or give the container --device /dev/net/tun",
    look() {
      if (!statSync('/dev/net/tun').isCharacterDevice() || statSync('/dev/net/tun').rdev !== TUN_DEVICE)
        throw new Error('/dev/net/tun is another device');
      closeSync(openSync('/dev/net/tun', constants.O_RDWR));
      return '/dev/net/tun opens: internal ports and taps';
    },
  },
  {
    name: 'packet sockets',
    isNeeded: true,
    remedy: 'the kernel needs CONFIG_PACKET, the process CAP_NET_RAW; loopback must exist in this network namespace',
    async look() {
      const { closePacketSocket, openPacketSocket } = await import('../../netdev/packet-socket.ts');
      const { closeFd } = await import('../../host/ffi.ts');
      closePacketSocket(openPacketSocket('lo', { small: 1, large: 1 }), closeFd);
      return 'a ring on lo: system devices';
    },
  },
  {
    name: 'eBPF',
    isNeeded: false,
    remedy:
      'run as root, or with --cap-add=BPF --cap-add=PERFMON (CAP_SYS_ADMIN before Linux 5.8); /proc/sys/kernel/unprivileged_bpf_disabled and the container decide. Without it frames go through user space',
    async look() {
      const { closeObject, loadProgram } = await import('../../bpf/kernel.ts');
      const { Assembler } = await import('../../bpf/instructions.ts');
      closeObject(loadProgram(new Assembler().mov(0, 0).exit().finish(), new Map(), 'weft_doctor'));
      return `Linux ${release()} loads programs: flow tables run in the kernel`;
    },
  },
  {
    name: 'tcx',
    isNeeded: false,
    remedy:
      'a kernel from 6.6 on. Without it programs are attached as filters of the clsact discipline (CONFIG_NET_SCH_INGRESS, CONFIG_NET_CLS_BPF)',
    async look() {
      const { ATTACH, attachTcx, closeObject, loadProgram } = await import('../../bpf/kernel.ts');
      const { Assembler } = await import('../../bpf/instructions.ts');
      const { interfaceIndex } = await import('../../host/interface-request.ts');
      const pass = loadProgram(new Assembler().mov(0, -1).exit().finish(), new Map(), 'weft_doctor');
      try {
        closeObject(attachTcx(pass, interfaceIndex('lo'), ATTACH.tcxEgress));
      } finally {
        closeObject(pass);
      }
      return 'a program can be attached to a device by a link';
    },
  },
  {
    name: 'bpffs',
    isNeeded: false,
    remedy: "'mount -t bpf bpf /sys/fs/bpf'. The daemon tries that by itself; without it frames stop while it restarts",
    look() {
      const place = ['/sys/fs/bpf', '/proc/1/root/sys/fs/bpf'].find((path) => {
        try {
          return statfsSync(path).type >>> 0 === BPF_FS_MAGIC;
        } catch {
          return false;
        }
      });
      if (place === undefined) throw new Error('none is mounted yet');
      return `${place}: what forwards outlives the daemon`;
    },
  },
];

export const main: Tool = async (argv) => {
  if (argv.length > 0) {
    const isHelp = argv.length === 1 && (argv[0] === '--help' || argv[0] === '-h');
    if (isHelp) process.stdout.write(USAGE);
    else process.stderr.write(`weft doctor: unexpected argument '${argv[0]}'; see weft doctor --help\n`);
    return isHelp ? 0 : 2;
  }
  let isFit = true;
  for (const check of checks) {
    try {
      process.stdout.write(`✔ ${check.name.padEnd(15)} ${await check.look()}\n`);
    } catch (error) {
      if (check.isNeeded) isFit = false;
      process.stdout.write(
        `${check.isNeeded ? '✖' : '-'} ${check.name.padEnd(15)} ${errorText(error)}\n  ${''.padEnd(15)} ${check.remedy}\n`,
      );
    }
  }
  process.stdout.write(isFit ? 'The switch can run here.\n' : 'The switch cannot run here yet.\n');
  return isFit ? 0 : 1;
};
