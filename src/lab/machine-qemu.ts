// A machine of the lab that is a real one: QEMU without hardware help, Debian's cloud kernel, busybox, its card on the host's tap.
// Its serial console is a Unix socket on the host; commands go in and come out there.
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { ask } from './console.ts';
import type { LabMachine } from './lab-file.ts';
import { configureAddress, type Machine } from './machine.ts';
import type { Host, Outcome } from './sandbox.ts';

const image = join(import.meta.dirname, '../../.cache/vm');
/** An emulated machine on a busy computer boots in its own time. */
const BOOT_MS = 240_000;

export class QemuMachine implements Machine {
  readonly kind = 'qemu';
  readonly name: string;
  readonly spec: LabMachine;
  /** The console's socket as a path outside the lab. */
  readonly consolePath: string;
  readonly #host: Host;
  #last: Promise<unknown> = Promise.resolve();

  constructor(name: string, spec: LabMachine, host: Host) {
    this.name = name;
    this.spec = spec;
    this.#host = host;
    this.consolePath = host.outside(`/run/lab/${name}.console`);
  }

  /** One command at a time: there is one console. */
  run(command: string, timeoutMs = 60_000): Promise<Outcome> {
    const turn = this.#last.then(() => ask(this.consolePath, command, timeoutMs));
    this.#last = turn.catch(() => {});
    return turn;
  }

  async start(say: (command: string) => void, waiting: (what: string) => void): Promise<void> {
    for (const file of ['vmlinuz', 'initramfs.gz']) {
      if (!existsSync(join(image, file))) throw new Error(`there is no ${file} to boot; 'npm run lab -- --vm=qemu' makes it`);
    }
    const { tap, mac = macOf(this.name) } = this.spec;
    const command = [
      'qemu-system-x86_64 -accel tcg -cpu max -m 192 -nodefaults -display none -no-reboot',
      `-kernel ${join(image, 'vmlinuz')} -initrd ${join(image, 'initramfs.gz')}`,
      `-append 'console=ttyS0 quiet panic=-1 weft.name=${this.name}'`,
      `-netdev tap,id=net0,ifname=${tap},script=no,downscript=no`,
      `-device virtio-net-pci,netdev=net0,romfile=,mac=${mac}`,
      `-serial unix:/run/lab/${this.name}.console,server=on,wait=off`,
    ];
    say(command.join(' \\\n         '));
    const log = `/run/lab/${this.name}.log`;
    const started = await this.#host.run(`setsid ${command.join(' ')} >${log} 2>&1 </dev/null &`);
    if (started.code !== 0) throw new Error(started.stderr.trim());
    waiting(`${this.name} to boot (emulated, so it takes its time)`);
    const end = Date.now() + BOOT_MS;
    for (;;) {
      const up = existsSync(this.consolePath) ? await ask(this.consolePath, 'test -d /sys/class/net/eth0', 3000) : undefined;
      if (up?.code === 0) break;
      const said = (await this.#host.run(`cat ${log}`)).stdout.trim();
      if (said !== '') throw new Error(said);
      if (Date.now() > end) throw new Error(`it did not boot within ${BOOT_MS / 1000} s`);
      await new Promise((resolve) => setTimeout(resolve, 500));
    }
    waiting(`${this.name} to take its address`);
    await configureAddress(this);
  }
}

/** An address of its own for a machine whose file names none: QEMU would give all the same. */
function macOf(name: string): string {
  const hash = createHash('sha256').update(name).digest();
  return `52:54:00:${[hash[0] ?? 0, hash[1] ?? 0, hash[2] ?? 0].map((byte) => byte.toString(16).padStart(2, '0')).join(':')}`;
}
