// Commands that go on until they are ended, as daemons: --detach, --pidfile and their kin (ovs-ofctl(8), ovsdb-client(1), "Daemon Options").
//
// The process above is this program started again (`daemon/plumbing/parent.ts`); the connection is made in the process below, so that what
// goes wrong with it is that of the command. What the command prints on stays open in the background.
import { chdir } from 'node:process';
import type { DaemonSettings } from '../daemon/plumbing/options.ts';
import { launch, monitor, type Role, signalReady, takeRole } from '../daemon/plumbing/parent.ts';
import type { UnixctlServer } from '../daemon/plumbing/unixctl.ts';
import { registerCoverageCommands } from '../daemon/plumbing/unixctl-coverage.ts';
import { registerLogCommands } from '../daemon/plumbing/unixctl-log.ts';
import { createPidfile, type Pidfile, releaseStdio } from '../host/daemonize.ts';
import type { LogOutput } from '../host/log-output.ts';

/** Where a command prints what it hears: on standard error, or on standard output too. */
export type Voice = 'stderr' | 'stdout';

export class Background {
  readonly #program: string;
  readonly #voice: Voice;
  readonly #settings: DaemonSettings;
  readonly #role: Role;
  readonly #output: LogOutput;
  #pidfile: Pidfile | undefined;

  constructor(program: string, voice: Voice, settings: DaemonSettings, output: LogOutput) {
    this.#program = program;
    this.#voice = voice;
    this.#settings = settings;
    this.#output = output;
    this.#role = takeRole();
  }

  get isDetached(): boolean {
    return this.#settings.detach;
  }

  /** Commands about the log and counters, as every daemon has them. */
  registerCommands(unixctl: UnixctlServer): void {
    registerLogCommands(unixctl, this.#output);
    registerCoverageCommands(unixctl);
  }

  /** Starts the process below, where there is to be one; never resolves then. */
  async enter(): Promise<void> {
    const { detach, monitor: isMonitored } = this.#settings;
    if (this.#role === 'daemon' || !(detach || isMonitored)) return;
    if (this.#role === 'caller' && detach) launch(this.#program, isMonitored ? 'monitor' : 'daemon');
    else monitor(this.#program, this.#role, detach, this.#output);
    await new Promise(() => {});
  }

  /** Writes the pidfile. Throws ConfigError. */
  begin(): void {
    const { pidfile, overwritePidfile } = this.#settings;
    if (pidfile !== undefined) this.#pidfile = createPidfile(pidfile, overwritePidfile);
  }

  /** From here on the command is in service. */
  ready(): void {
    if (this.#role === 'daemon') signalReady();
    if (!this.#settings.detach) return;
    if (this.#settings.changeFolder) chdir('/');
    releaseStdio(this.#voice === 'stdout' ? [1, 2] : [2]);
  }

  end(): void {
    this.#pidfile?.remove();
  }
}
