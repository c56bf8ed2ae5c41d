// The rest of dpctl/*: caches, offload statistics, the list of commands. Text as in the running reference.
import type { Datapath } from '../../../datapath/datapath.ts';
import { allDatapaths, datapathNamed, fullName, openFault, registerDpctl } from './datapath-names.ts';
import { DpctlError, INVALID } from './dpctl-fault.ts';
import type { CommandParts } from './parts.ts';

/** The commands in the order in which `dpctl/list-commands` tells them. */
const COMMANDS: readonly (readonly [name: string, usage: string])[] = [
  ['add-dp', 'dp [iface...]'],
  ['del-dp', 'dp'],
  ['add-if', 'dp iface...'],
  ['del-if', 'dp iface...'],
  ['set-if', 'dp iface...'],
  ['dump-dps', ''],
  ['show', '[-s] [dp...]'],
  ['dump-flows', '[-m] [--names] [dp] [filter=..] [type=..] [pmd=..]'],
  ['add-flow', '[dp] flow actions'],
  ['mod-flow', '[dp] flow actions'],
  ['get-flow', '[dp] ufid'],
  ['del-flow', '[dp] flow'],
  ['add-flows', '[dp] file'],
  ['mod-flows', '[dp] file'],
  ['del-flows', '[dp] [file]'],
  ['offload-stats-show', '[dp]'],
  ['dump-conntrack', '[-m] [-s] [dp] [zone=N]'],
  ['flush-conntrack', '[dp] [zone=N] [ct-orig-tuple] [ct-reply-tuple]'],
  ['cache-get-size', '[dp]'],
  ['cache-set-size', 'dp cache <size>'],
  ['ct-stats-show', '[dp] [zone=N]'],
  ['ct-bkts', '[dp] [gt=N]'],
  ['ct-set-maxconns', '[dp] maxconns'],
  ['ct-get-maxconns', '[dp]'],
  ['ct-get-nconns', '[dp]'],
  ['ct-enable-tcp-seq-chk', '[dp]'],
  ['ct-disable-tcp-seq-chk', '[dp]'],
  ['ct-get-tcp-seq-chk', '[dp]'],
  ['ct-set-limits', '[dp] [default=L] [zone=N,limit=L]...'],
  ['ct-del-limits', '[dp] zone=N1[,N2]...'],
  ['ct-get-limits', '[dp] [zone=N1[,N2]...]'],
  ['ipf-set-enabled', '[dp] v4|v6'],
  ['ipf-set-disabled', '[dp] v4|v6'],
  ['ipf-set-min-frag', '[dp] v4|v6 minfragment'],
  ['ipf-set-max-nfrags', '[dp] maxfrags'],
  ['ipf-get-status', '[dp]'],
  ['list-commands', ''],
  ['parse-actions', 'actions'],
  ['normalize-actions', 'actions'],
];

/** Registers them. */
export function registerDpctlCommands(parts: CommandParts): void {
  registerDpctl(parts, 'list-commands', '', 0, Number.POSITIVE_INFINITY, () =>
    ['The available commands are:', ...COMMANDS.map(([name, usage]) => `  ${`dpctl/${name}`.padEnd(29)} ${usage}`)].join('\n'),
  );
  const opened = (name: string | undefined): Datapath => {
    const found = allDatapaths(parts).find((datapath) => fullName(datapath) === (name?.includes('@') ? name : `system@${name}`));
    if (found === undefined) throw new DpctlError(`Opening datapath ${name} failed`, openFault(parts, name ?? ''));
    return found;
  };
  // The caches of the frame path have one size, so there is none to tell.
  registerDpctl(parts, 'cache-get-size', '[dp]', 0, 1, ([name]) => {
    return (name === undefined ? allDatapaths(parts) : [opened(name)]).map((datapath) => `${fullName(datapath)}:`).join('\n');
  });
  registerDpctl(parts, 'cache-set-size', 'dp cache <size>', 3, 3, ([name, , size]) => {
    if (size === undefined) throw new DpctlError('Invalid number of arguments', INVALID);
    if (!/^\d+$/.test(size)) throw new DpctlError('size is malformed', INVALID);
    opened(name);
    throw new DpctlError('Setting caches not supported', 'Operation not supported');
  });
  // No flow is carried out by a network card.
  registerDpctl(parts, 'offload-stats-show', '[dp]', 0, 1, ([name]) => {
    datapathNamed(parts, name);
    throw new DpctlError('retrieving offload statistics', INVALID);
  });
}
