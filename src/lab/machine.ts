// A machine of the lab: something with one network card, which is a tap on its host.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { LabMachine } from './lab-file.ts';
import type { Host, Outcome, Place } from './sandbox.ts';

/** The kinds of machine that `--vm=` names. */
export const MACHINE_KINDS = ['namespace', 'qemu'] as const;
export type MachineKind = (typeof MACHINE_KINDS)[number];

/** A machine that can be started once, after its tap exists. */
export interface Machine extends Place {
  readonly kind: MachineKind;
  readonly spec: LabMachine;
  /** Starts it; says what a person would type and what it waits for. Throws with the reason when it does not come up. */
  start(say: (command: string) => void, waiting: (what: string) => void): Promise<void>;
}

/** The address without its prefix length. */
export function addressOf(spec: LabMachine): string {
  return spec.address.split('/')[0] ?? '';
}

/** The commands that give a machine its address: for busybox and iproute2 alike. */
export function addressCommands(spec: LabMachine): string[] {
  const commands = [`ip addr add ${spec.address} dev eth0`, 'ip link set eth0 up'];
  if (spec.mac !== undefined) commands.unshift(`ip link set eth0 address ${spec.mac}`);
  if (spec.gateway !== undefined) commands.push(`ip route add default via ${spec.gateway}`);
  return commands;
}

/** Runs the address commands; throws with the first that fails. */
export async function configureAddress(machine: Machine): Promise<void> {
  for (const command of addressCommands(machine.spec)) {
    const done = await machine.run(command, 10_000);
    if (done.code !== 0) throw new Error(`${machine.name}# ${command}: ${(done.stderr || done.stdout).trim()}`);
  }
}

/** A network namespace whose eth0 is fed from the host's tap by a process that opens it as QEMU would (`relay.ts`). */
export class NamespaceMachine implements Machine {
  readonly kind = 'namespace';
  readonly name: string;
  readonly spec: LabMachine;
  readonly #host: Host;
  readonly #inside: Host;

  constructor(name: string, spec: LabMachine, host: Host, inside: Host) {
    this.name = name;
    this.spec = spec;
    this.#host = host;
    this.#inside = inside;
  }

  run(command: string, timeoutMs?: number): Promise<Outcome> {
    return this.#inside.run(command, timeoutMs);
  }

  async start(_say: (command: string) => void, waiting: (what: string) => void): Promise<void> {
    waiting(`${this.name} to open ${this.spec.tap}`);
    const log = `/run/lab/${this.name}.log`;
    const main = join(import.meta.dirname, '../cli/main.ts');
    const relay = [
      process.execPath,
      '--disable-warning=ExperimentalWarning',
      main,
      'weft',
      'lab',
      '--relay',
      `${this.spec.tap}:${innerPid(this.#inside.pid)}`,
    ];
    await this.#host.exec(['setsid', 'sh', '-c', `"$@" >${log} 2>&1 &`, 'relay', ...relay]);
    const end = Date.now() + 15_000;
    while ((await this.#inside.run('ip link show eth0')).code !== 0) {
      const said = (await this.#host.run(`cat ${log}`)).stdout.trim();
      if (said !== '' || Date.now() > end) throw new Error(said === '' ? 'its network card did not appear within 15 s' : said);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    await configureAddress(this);
  }
}

/** A process's pid as the processes of its own pid namespace see it. */
function innerPid(pid: number): number {
  const line = /^NSpid:\s+(.*)$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? String(pid);
  return Number(line.split(/\s+/).at(-1));
}
