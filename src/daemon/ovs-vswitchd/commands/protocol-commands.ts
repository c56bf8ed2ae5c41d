// Control commands about protocols between switches: LACP, STP, RSTP, CFM, BFD, multicast snooping, 802.1 auto attach.
// Weft runs none of these protocols yet. Where none is configured the answers are the reference's; where one is configured, a command says
// that it is not built, so that nobody takes silence for a protocol that runs and has nothing to tell.
import { ConfigError } from '../../../base/errors.ts';
import type { IdlRow } from '../../../ovsdb/client/idl.ts';
import { registerBondCommands } from './bond-commands.ts';
import { bridgeNamed, type CommandParts } from './parts.ts';

const isTrue = (row: IdlRow, column: string): boolean => row.set(column)[0] === true;

/** Tells that it is configured and absent. Throws ConfigError. */
export function notBuilt(what: string, where: string): never {
  throw new ConfigError(`${where}: ${what} is configured, but not built in this version`);
}

/** Registers them. */
export function registerProtocolCommands(parts: CommandParts): void {
  const { unixctl, host, rows } = parts;
  const named = (table: string, name: string): IdlRow | undefined => [...rows(table).values()].find((row) => row.set('name')[0] === name);
  /** Refuses where the rows of a table, or the one of that name, ask for the protocol. */
  const refuse = (table: string, name: string | undefined, what: string, asks: (row: IdlRow) => boolean): void => {
    for (const row of name === undefined ? rows(table).values() : [named(table, name)]) {
      if (row !== undefined && asks(row)) notBuilt(what, String(row.set('name')[0]));
    }
  };
  const hasLacp = (row: IdlRow): boolean => row.set('lacp').length > 0 && row.set('lacp')[0] !== 'off';
  registerBondCommands(parts);

  for (const command of ['lacp/show', 'lacp/show-stats']) {
    unixctl.register(command, '[port]', 0, 1, ([name]) => {
      refuse('Port', name, 'LACP', hasLacp);
      if (name !== undefined) throw new ConfigError('no such lacp object');
      return '';
    });
  }

  const spanningTree = (prefix: 'stp' | 'rstp', what: string, absent: string): void => {
    for (const command of ['show', 'tcn']) {
      unixctl.register(`${prefix}/${command}`, '[bridge]', 0, 1, ([name]) => {
        refuse('Bridge', name, what, (row) => isTrue(row, `${prefix}_enable`));
        if (name !== undefined) throw new ConfigError(absent);
        return command === 'tcn' ? 'OK' : '';
      });
    }
  };
  spanningTree('stp', 'STP', 'no such stp object');
  spanningTree('rstp', 'RSTP', 'No such RSTP object');

  const fault = (command: string, absent: string): void => {
    unixctl.register(command, '[interface] normal|false|true', 1, 2, (args) => {
      if (!['normal', 'false', 'true'].includes(args[args.length - 1]?.toLowerCase() ?? '')) throw new ConfigError('unknown fault string');
      if (args.length > 1) throw new ConfigError(absent);
      return 'OK';
    });
  };
  const hasBfd = (row: IdlRow): boolean => row.map('bfd').get('enable') === 'true';
  const hasCfm = (row: IdlRow): boolean => row.set('cfm_mpid').length > 0;
  unixctl.register('bfd/show', '[interface]', 0, 1, ([name]) => {
    refuse('Interface', name, 'BFD', hasBfd);
    if (name !== undefined) throw new ConfigError('no such bfd object');
    return '';
  });
  fault('bfd/set-forwarding', 'no such BFD object');
  unixctl.register('cfm/show', '[interface]', 0, 1, ([name]) => {
    refuse('Interface', name, 'CFM', hasCfm);
    if (name !== undefined) throw new ConfigError('no such CFM object');
    return '';
  });
  fault('cfm/set-fault', 'no such CFM object');

  const snoops = (row: IdlRow): boolean => isTrue(row, 'mcast_snooping_enable');
  unixctl.register('mdb/show', 'bridge', 1, 1, ([name]) => {
    bridgeNamed(host, name);
    refuse('Bridge', name, 'multicast snooping', snoops);
    throw new ConfigError('multicast snooping is disabled');
  });
  unixctl.register('mdb/flush', '[bridge]', 0, 1, ([name]) => {
    refuse('Bridge', name, 'multicast snooping', snoops);
    if (name === undefined) return 'table successfully flushed';
    bridgeNamed(host, name);
    throw new ConfigError('multicast snooping is disabled');
  });

  for (const command of ['status', 'show-isid', 'statistics']) {
    unixctl.register(`autoattach/${command}`, '[bridge]', 0, 1, ([name]) => {
      refuse('Bridge', name, 'auto attach', (row) => row.set('auto_attach').length > 0);
      return '';
    });
  }
}
