// What control commands of the switch daemon work on.
import type { Clock } from '../../../base/clock.ts';
import { ConfigError } from '../../../base/errors.ts';
import type { IdlRow } from '../../../ovsdb/client/idl.ts';
import type { SwitchBridge, SwitchHost } from '../../../switch/contract.ts';
import type { Reconciler } from '../../reconcile/reconcile.ts';
import type { DeviceTable } from '../devices.ts';
import type { ConfigurationLoop } from '../loop.ts';
import type { SpareDatapaths } from '../spare-datapaths.ts';

/** The part of the control socket that commands are put into. */
export interface CommandTable {
  register(
    name: string,
    usage: string | undefined,
    minArgs: number,
    maxArgs: number,
    handler: (args: string[]) => string | Promise<string>,
  ): void;
}

export interface CommandParts {
  unixctl: CommandTable;
  host: SwitchHost;
  reconciler: Reconciler;
  devices: DeviceTable;
  loop: ConfigurationLoop;
  clock: Clock;
  /** Whether all datapaths and devices are simulated (`--enable-dummy=override`). */
  isOverridden: boolean;
  /** Datapaths that commands make. */
  spare: SpareDatapaths;
  /** Rows of the database. */
  rows(table: string): ReadonlyMap<string, IdlRow>;
}

/** The bridge of that name, or the error that commands answer with. */
export function bridgeNamed(host: SwitchHost, name: string | undefined, fault = 'no such bridge'): SwitchBridge {
  const bridge = host.bridge(name ?? '');
  if (bridge === undefined) throw new ConfigError(fault);
  return bridge;
}

/** All bridges in order of name. */
export function bridgesByName(host: SwitchHost): SwitchBridge[] {
  return [...host.bridges()].sort((a, b) => (a.name < b.name ? -1 : 1));
}
