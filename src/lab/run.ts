// Runs a lab: builds its hosts and networks, goes through the steps, and takes everything down again whatever happens.
import { errorText } from '../base/errors.ts';
import { type Cast, describeCheck, machineAddress, perform } from './checks.ts';
import { keptLabs, remember, removeKept } from './kept.ts';
import type { Action, Lab, Step } from './lab-file.ts';
import { type Machine, type MachineKind, NamespaceMachine } from './machine.ts';
import { type Host, type Place, Sandbox } from './sandbox.ts';
import { Screen } from './screen.ts';

/** How a lab is to be run. */
export interface LabOptions {
  machines: MachineKind;
  keep: boolean;
}

/** Milliseconds a command of a step may take. */
const COMMAND_MS = 90_000;

/** Runs the lab and shows it on stdout; resolves with the exit code. */
export async function runLab(lab: Lab, options: LabOptions, screen = new Screen()): Promise<number> {
  if (options.keep && keptLabs().some((kept) => kept.name === lab.name)) {
    screen.line(`The lab '${lab.name}' that was kept is removed first.`);
    removeKept(lab.name);
  }
  let sandbox: Sandbox | undefined;
  let interrupted = false;
  const interrupt = (signal: NodeJS.Signals): void => {
    if (interrupted) return;
    interrupted = true;
    screen.line();
    screen.line(`${signal}: the lab is taken down.`);
    sandbox?.close();
    process.exit(signal === 'SIGINT' ? 130 : 143);
  };
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
  for (const signal of signals) process.once(signal, interrupt);
  let keep = false;
  try {
    screen.line(lab.title);
    const stop = screen.waiting('namespaces for hosts and networks');
    sandbox = await Sandbox.open(options.keep);
    const stage = await build(lab, sandbox, options.machines);
    stop();
    picture(lab, options, screen);
    const run = new Run(lab, stage, screen);
    const good = await run.steps();
    keep = options.keep;
    if (keep) farewell(lab, stage, sandbox, screen);
    return good ? 0 : 1;
  } catch (error) {
    if (interrupted) return 130;
    screen.cross('the lab could not be built', errorText(error));
    return 1;
  } finally {
    if (!keep && !interrupted) sandbox?.close();
    for (const signal of signals) process.removeListener(signal, interrupt);
  }
}

/** Hosts and machines as built. */
class Stage implements Cast {
  readonly hosts = new Map<string, Host>();
  readonly machines = new Map<string, Machine>();
  readonly insides = new Map<string, Host>();
  readonly #lab: Lab;

  constructor(lab: Lab) {
    this.#lab = lab;
  }

  place(name: string): Place {
    const found = this.hosts.get(name) ?? this.machines.get(name);
    if (found === undefined) throw new Error(`no such place: ${name}`);
    return found;
  }

  machine(name: string): Machine | undefined {
    return this.machines.get(name);
  }

  address(name: string): string {
    const machine = this.machines.get(name);
    if (machine !== undefined) return machineAddress(machine);
    const host = this.#lab.hosts[name];
    const address = host?.addresses[0] ?? Object.values(host?.interfaces ?? {}).find((one) => one.address !== undefined)?.address;
    return address?.split('/')[0] ?? '127.0.0.1';
  }
}

async function build(lab: Lab, sandbox: Sandbox, kind: MachineKind): Promise<Stage> {
  const stage = new Stage(lab);
  for (const [name, network] of Object.entries(lab.networks)) sandbox.network(name, network.mtu);
  for (const [name, spec] of Object.entries(lab.hosts)) {
    const host = await sandbox.place(name, spec.directories, spec.environment, true);
    stage.hosts.set(name, host);
    const commands: string[] = [];
    for (const [device, one] of Object.entries(spec.interfaces)) {
      const mtu = lab.networks[one.network]?.mtu;
      sandbox.cable(host, device, one.network, mtu);
      if (mtu !== undefined) commands.push(`ip link set ${device} mtu ${mtu}`);
      if (one.address !== undefined) commands.push(`ip addr add ${one.address} dev ${device}`);
      commands.push(`ip link set ${device} up`);
    }
    for (const address of spec.addresses) commands.push(`ip addr add ${address} dev lo`);
    if (spec.gateway !== undefined) commands.push(`ip route add default via ${spec.gateway}`);
    for (const command of commands) {
      const done = await host.run(command);
      if (done.code !== 0) throw new Error(`${name}# ${command}: ${done.stderr.trim()}`);
    }
  }
  for (const [name, spec] of Object.entries(lab.machines)) {
    const host = stage.hosts.get(spec.host);
    if (host === undefined) throw new Error(`no such host: ${spec.host}`);
    if (kind === 'qemu') {
      const { QemuMachine } = await import('./machine-qemu.ts');
      stage.machines.set(name, new QemuMachine(name, spec, host));
    } else {
      const inside = await sandbox.place(name, [], {}, false);
      stage.insides.set(name, inside);
      stage.machines.set(name, new NamespaceMachine(name, spec, host, inside));
    }
  }
  return stage;
}

class Run {
  readonly #lab: Lab;
  readonly #stage: Stage;
  readonly #screen: Screen;
  #passed = 0;
  #failed = 0;
  #background = 0;
  readonly #backgroundLogs: { place: Place; command: string; log: string }[] = [];

  constructor(lab: Lab, stage: Stage, screen: Screen) {
    this.#lab = lab;
    this.#stage = stage;
    this.#screen = screen;
  }

  /** Goes through all steps; true when every check held. */
  async steps(): Promise<boolean> {
    const begin = performance.now();
    for (const [index, step] of this.#lab.steps.entries()) {
      this.#screen.step(index + 1, step.title, step.why);
      const failedBefore = this.#failed;
      await this.#step(step);
      if (this.#failed > failedBefore) {
        await this.#logs();
        const left = this.#lab.steps.length - index - 1;
        if (step.essential && left > 0) {
          this.#screen.line(
            `   The ${left === 1 ? 'step' : `${left} steps`} after this one need it and ${left === 1 ? 'is' : 'are'} not tried.`,
          );
          break;
        }
      }
    }
    const seconds = ((performance.now() - begin) / 1000).toFixed(0);
    this.#screen.line();
    if (this.#failed === 0) this.#screen.tick(`all ${this.#passed} checks passed in ${seconds} s`);
    else this.#screen.cross(`${this.#failed} failed, ${this.#passed} passed in ${seconds} s`, '');
    return this.#failed === 0;
  }

  async #step(step: Step): Promise<void> {
    for (const action of step.do) {
      const reason = await this.#act(action);
      if (reason !== '') {
        this.#failed++;
        this.#screen.cross(step.title, reason);
        return;
      }
    }
    for (const check of step.check) {
      const stop = this.#screen.waiting(describeCheck(check, this.#stage));
      const verdict = await perform(check, this.#stage);
      stop();
      if (verdict.good) {
        this.#passed++;
        this.#screen.tick(verdict.detail === '' ? verdict.what : `${verdict.what}: ${verdict.detail}`);
      } else {
        this.#failed++;
        this.#screen.cross(verdict.what, verdict.detail);
        // What comes after could only wait in vain.
        if (step.essential) return;
      }
    }
  }

  /** Does one action; the reason why it failed, or ''. */
  async #act(action: Action): Promise<string> {
    if ('start' in action) return this.#startMachine(action.start);
    const place = this.#stage.place(action.on);
    if ('background' in action) {
      this.#screen.command(action.on, `${action.background} &`);
      const log = `/run/lab/background-${++this.#background}.log`;
      this.#backgroundLogs.push({ place, command: action.background, log });
      const done = await place.run(`mkdir -p /run/lab; setsid ${action.background} >${log} 2>&1 </dev/null &`);
      return done.code === 0 ? '' : done.stderr.trim();
    }
    for (const command of action.run) {
      this.#screen.command(action.on, command);
      if (command.startsWith('#')) continue;
      const stop = this.#screen.waiting(command);
      const done = await place.run(command, COMMAND_MS);
      stop();
      this.#screen.output(done.stdout);
      if (done.timedOut) return `${command}\nwas not done after ${COMMAND_MS / 1000} s\n${done.stderr.trim()}`.trim();
      if (done.code !== 0) return `${command}\nexit code ${done.code}\n${done.stderr.trim()}`.trim();
      this.#screen.output(done.stderr);
    }
    return '';
  }

  async #startMachine(name: string): Promise<string> {
    const machine = this.#stage.machine(name);
    if (machine === undefined) return `no such machine: ${name}`;
    const { spec } = machine;
    if (machine.kind === 'namespace') this.#screen.line(`   ${name} starts on ${spec.tap} of ${spec.host}, as ${spec.address}`);
    let stop = this.#screen.waiting(`${name} to start`);
    try {
      await machine.start(
        (command) => {
          stop();
          this.#screen.command(spec.host, command);
          stop = this.#screen.waiting(`${name} to start`);
        },
        (what) => {
          stop();
          stop = this.#screen.waiting(what);
        },
      );
      return '';
    } catch (error) {
      return `${name} did not start: ${errorText(error)}`;
    } finally {
      stop();
    }
  }

  /** After a failure: the last words of the daemons, for whoever looks into it. */
  async #logs(): Promise<void> {
    for (const [name, host] of this.#stage.hosts) {
      const command = "grep -hE '\\|(WARN|ERR|EMER)\\|' /var/log/openvswitch/*.log 2>/dev/null | tail -n 5";
      const done = await host.run(command, 5000);
      if (done.stdout.trim() !== '') {
        this.#screen.line(`   ${name}'s daemons last complained:`);
        this.#screen.output(done.stdout, 5);
      }
    }
    for (const { place, command, log } of this.#backgroundLogs) {
      const done = await place.run(`tail -n 5 ${log}`, 5000);
      if (done.stdout.trim() !== '') {
        this.#screen.line(`   ${place.name}'s \`${command}\` last said:`);
        this.#screen.output(done.stdout, 5);
      }
    }
  }
}

/** Who is there, before the first step. */
function picture(lab: Lab, options: LabOptions, screen: Screen): void {
  if (lab.about !== undefined) screen.line(lab.about.trim());
  screen.line();
  for (const [name, spec] of Object.entries(lab.hosts)) {
    const cards = Object.entries(spec.interfaces).map(([device, one]) => `${device} ${one.address ?? 'without address'} on ${one.network}`);
    const more = spec.addresses.map((address) => address.split('/')[0]);
    screen.line(`   ${name.padEnd(10)} ${[...cards, ...more].join(', ')}${spec.about === undefined ? '' : ` - ${spec.about}`}`);
  }
  for (const [name, spec] of Object.entries(lab.machines)) {
    const kind = options.machines === 'qemu' ? 'a virtual machine' : 'a machine';
    screen.line(`   ${name.padEnd(10)} ${spec.address}, ${kind} behind ${spec.tap} of ${spec.host}`);
  }
}

/** What to do with a lab that stays. */
function farewell(lab: Lab, stage: Stage, sandbox: Sandbox, screen: Screen): void {
  const places = Object.fromEntries([...stage.hosts, ...stage.insides].map(([name, host]) => [name, host.pid]));
  const environment = Object.fromEntries([...stage.hosts, ...stage.insides].map(([name, host]) => [name, host.environment]));
  const consoles = Object.fromEntries(
    [...stage.machines].flatMap(([name, machine]) => ('consolePath' in machine ? [[name, String(machine.consolePath)]] : [])),
  );
  remember({ name: lab.name, rootPid: sandbox.rootPid, places, environment, consoles });
  screen.line();
  screen.line('The lab keeps running. To look around, a shell on any of its hosts and machines:');
  for (const name of [...stage.hosts.keys(), ...stage.machines.keys()]) screen.line(`   bin/weft lab --enter ${name}`);
  screen.line('or one command, such as:');
  screen.line(`   bin/weft lab --enter ${[...stage.hosts.keys()][0]} -- ovs-vsctl show`);
  screen.line('To remove it:');
  screen.line('   bin/weft lab --down');
}
