// `monitor` and `snoop` as daemons: --detach, --pidfile and their kin (ovs-ofctl(8), "Daemon Options").
//
// The process above is this program started again (`daemon/plumbing/parent.ts`); the connection is made in the process below, so that what
// goes wrong with it is that of the command. Standard error stays open in the background: what is heard is printed there.
import { chdir } from 'node:process';
import type { DaemonSettings } from '../../daemon/plumbing/options.ts';
import { launch, monitor, type Role, signalReady, takeRole } from '../../daemon/plumbing/parent.ts';
import type { UnixctlServer } from '../../daemon/plumbing/unixctl.ts';
import { registerLogCommands } from '../../daemon/plumbing/unixctl-log.ts';
import { createPidfile, type Pidfile, releaseStdio } from '../../host/daemonize.ts';
import type { LogOutput } from '../../host/log-output.ts';

const PROGRAM = 'ovs-ofctl';

export class Background {
  readonly #settings: DaemonSettings;
  readonly #role: Role;
  readonly #output: LogOutput;
  #pidfile: Pidfile | undefined;

  constructor(settings: DaemonSettings, output: LogOutput) {
    this.#settings = settings;
    this.#output = output;
    this.#role = takeRole();
  }

  /** Commands about the log, as every daemon has them. */
  registerCommands(unixctl: UnixctlServer): void {
    registerLogCommands(unixctl, this.#output);
  }

  /** Starts the process below, where there is to be one; never resolves then. */
  async enter(): Promise<void> {
    const { detach, monitor: isMonitored } = this.#settings;
    if (this.#role === 'daemon' || !(detach || isMonitored)) return;
    if (this.#role === 'caller' && detach) launch(PROGRAM, isMonitored ? 'monitor' : 'daemon');
    else monitor(PROGRAM, this.#role, detach, this.#output);
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
    releaseStdio(true);
  }

  end(): void {
    this.#pidfile?.remove();
  }
}
