// The commands that ovs-appctl can give to ovsdb-server.
import { errorText } from '../../base/errors.ts';
import { controlError, type UnixctlServer } from '../plumbing/unixctl.ts';
import type { OvsdbDaemon } from './ovsdb-daemon.ts';

const isBuiltIn = (name: string | undefined): boolean => name === '_Server';

const lines = (items: Iterable<string>): string => [...items].map((item) => `${item}\n`).join('');

export function registerDatabaseCommands(unixctl: UnixctlServer, daemon: OvsdbDaemon, exit: () => void): void {
  unixctl.register('exit', '', 0, 0, () => {
    setImmediate(exit);
    return '';
  });
  unixctl.register('ovsdb-server/add-remote', 'REMOTE', 1, 1, async ([target = '']) => {
    const fault = await daemon.addRemote(target);
    if (fault !== '' && target.startsWith('db:')) throw controlError(fault);
    return '';
  });
  unixctl.register('ovsdb-server/remove-remote', 'REMOTE', 1, 1, ([target = '']) => {
    if (!daemon.removeRemote(target)) throw controlError('no such remote');
    return '';
  });
  unixctl.register('ovsdb-server/list-remotes', '', 0, 0, () => lines([...daemon.remotes.targets].sort()));
  unixctl.register('ovsdb-server/add-db', 'DB', 1, 1, ([path = '']) => {
    try {
      daemon.addDatabase(path);
      return '';
    } catch (error) {
      throw controlError(errorText(error));
    }
  });
  unixctl.register('ovsdb-server/remove-db', 'DB', 1, 1, ([name = '']) => {
    if (isBuiltIn(name)) throw controlError('Cannot remove reserved database.');
    if (!daemon.removeDatabase(name)) throw controlError('Failed to find the database.');
    return '';
  });
  unixctl.register('ovsdb-server/list-dbs', '', 0, 0, () => lines(daemon.server.databaseNames));
  unixctl.register('ovsdb-server/compact', '', 0, 1, async ([name]) => {
    if (isBuiltIn(name)) throw controlError('cannot compact built-in databases');
    const files = [...daemon.files].filter(([database]) => name === undefined || database === name);
    if (name !== undefined && files.length === 0 && !daemon.relays.has(name)) throw controlError('no database by that name');
    for (const relay of daemon.relays.keys()) if (name === undefined || name === relay) daemon.logCompaction(relay);
    for (const [, file] of files) {
      try {
        await daemon.compact(file, 'by user request');
      } catch (error) {
        throw controlError(errorText(error));
      }
    }
    return '';
  });
  unixctl.register('ovsdb-server/reconnect', '', 0, 0, () => {
    for (const remote of daemon.remotes.list()) remote.reconnect();
    return '';
  });
  unixctl.register('ovsdb-server/perf-counters-show', '', 0, 0, () => 'performance counter is not supported on this platform');
  unixctl.register('ovsdb-server/perf-counters-clear', '', 0, 0, () => '');
  unixctl.register('ovsdb-server/get-db-storage-status', 'DB', 1, 1, ([name = '']) => {
    if (daemon.relays.has(name) || isBuiltIn(name)) return 'status: ok';
    const file = daemon.files.get(name);
    if (file === undefined) throw controlError('Failed to find the database.');
    return file.fault === '' ? 'status: ok' : `status: ${file.fault}`;
  });
  const { replication } = daemon;
  unixctl.register('ovsdb-server/sync-status', '', 0, 0, () => replication.status);
  unixctl.register('ovsdb-server/set-active-ovsdb-server', '', 1, 1, ([target = '']) => {
    replication.remote = target;
    return '';
  });
  unixctl.register('ovsdb-server/get-active-ovsdb-server', '', 0, 0, () => replication.remote);
  unixctl.register('ovsdb-server/connect-active-ovsdb-server', '', 0, 0, () => {
    if (replication.remote === '') return 'Unable to connect: active server is not specified.\n';
    replication.connect();
    return '';
  });
  unixctl.register('ovsdb-server/disconnect-active-ovsdb-server', '', 0, 0, () => {
    replication.disconnect();
    return '';
  });
  unixctl.register('ovsdb-server/set-active-ovsdb-server-probe-interval', '', 1, 1, ([text = '']) => {
    // What an int of 32 bits does not hold is none.
    if (!/^\s*[-+]?\d+$/.test(text) || Math.abs(Number(text) + 0.5) > 2 ** 31) return 'Invalid probe interval, integer value expected';
    replication.probeIntervalMs = Math.max(0, Number(text));
    return '';
  });
  unixctl.register('ovsdb-server/set-sync-exclude-tables', '', 0, 1, ([tables = '']) => {
    replication.excluded = tables;
    return '';
  });
  unixctl.register('ovsdb-server/get-sync-exclude-tables', '', 0, 0, () => replication.excluded);
  unixctl.register('memory/show', '', 0, 0, () => memoryText(daemon));
}

function memoryText(daemon: OvsdbDaemon): string {
  let atoms = 0;
  let cells = 0;
  let weak = 0;
  for (const name of daemon.server.databaseNames) {
    for (const table of daemon.server.database(name)?.tables.values() ?? []) {
      for (const sources of table.weakSources.values()) weak += sources.size;
      for (const row of table.rows.values()) {
        cells += row.fields.length;
        for (const { keys, values } of row.fields) atoms += keys.length + (values?.length ?? 0);
      }
    }
  }
  const monitors = [...daemon.server.sessions].reduce((sum, session) => sum + session.monitorCount, 0);
  const sessions = daemon.server.sessions.size;
  const triggers = [...daemon.server.sessions].reduce((sum, session) => sum + session.waitingCount, 0);
  const histories = [...daemon.relays.values()].map(({ history }) => history.size);
  const remembered = histories.reduce((sum, { transactions }) => sum + transactions, 0);
  const rememberedAtoms = histories.reduce((sum, { atoms }) => sum + atoms, 0);
  const some = (name: string, count: number): string => (count === 0 ? '' : ` ${name}:${count}`);
  return `atoms:${atoms} cells:${cells} monitors:${monitors} n-weak-refs:${weak}${some('sessions', sessions)}${some('triggers', triggers)}${some('txn-history', remembered)}${some('txn-history-atoms', rememberedAtoms)}`;
}
