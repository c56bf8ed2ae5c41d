import type { LabMachine } from './lab-file.ts';
import { configureAddress, type Machine } from './machine.ts';
import type { Host, Outcome } from './sandbox.ts';
export class QemuMachine implements Machine {
  readonly kind = 'qemu';
  readonly name: string;
  readonly spec: LabMachine;
  readonly consolePath: string;
  constructor(name: string, spec: LabMachine, host: Host) {
    this.name = name;
    this.spec = spec;
    this.consolePath = host.outside(`/run/lab/${name}.console`);
  }
  async run(_command: string): Promise<Outcome> {
    throw new Error('not yet');
  }
  async start(): Promise<void> {
    await configureAddress(this);
  }
}
