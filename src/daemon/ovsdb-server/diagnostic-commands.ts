// The commands of ovs-appctl that look into the server or change how it works, not what it serves.
import { runCoverage } from '../../base/coverage.ts';
import { logger } from '../../base/log.ts';
import { realClock } from '../../host/real-clock.ts';
import { controlError, type UnixctlServer } from '../plumbing/unixctl.ts';
import { registerCoverageCommands } from '../plumbing/unixctl-coverage.ts';
import type { OvsdbDaemon } from './ovsdb-daemon.ts';
import { TableLog } from './table-log.ts';

const log = logger('ovsdb_server');

export function registerDiagnosticCommands(unixctl: UnixctlServer, daemon: OvsdbDaemon): () => void {
  const stopCoverage = runCoverage(realClock);
  registerCoverageCommands(unixctl);
  unixctl.register('ovsdb-server/memory-trim-on-compaction', 'on|off', 1, 1, ([mode]) => {
    if (mode !== 'on' && mode !== 'off') throw controlError('invalid argument');
    daemon.trimsOnCompaction = mode === 'on';
    log.info(`memory trimming after compaction ${mode === 'on' ? 'enabled' : 'disabled'}.`);
    return '';
  });
  unixctl.register('ovsdb-server/disable-monitor-cond', '', 0, 0, () => {
    daemon.server.allowsConditions = false;
    for (const remote of daemon.remotes.list()) remote.reconnect();
    return '';
  });
  const tableLog = new TableLog();
  unixctl.register('ovsdb-server/tlog-set', 'DB:TABLE on|off', 2, 2, ([place = '', mode]) => {
    if (mode !== 'on' && mode !== 'off') throw controlError('invalid command argument');
    const [name, table, ...rest] = place.split(':');
    if (name === undefined || table === undefined || name === '' || table === '' || rest.length > 0)
      throw controlError('invalid DB:TABLE argument');
    const database = daemon.server.database(name);
    if (database === undefined) throw controlError('no such database');
    if (!database.tables.has(table)) throw controlError('no such table');
    tableLog.set(database, table, mode === 'on');
    return '';
  });
  unixctl.register('ovsdb-server/tlog-list', '', 0, 0, () =>
    tableLog.list(
      daemon.server.databaseNames.flatMap((name) => {
        const database = daemon.server.database(name);
        return database === undefined ? [] : [[name, database] as const];
      }),
    ),
  );
  return stopCoverage;
}

/** Gives memory that is not used back to the system, as far as the runtime can. */
export function trimMemory(): void {
  process.getBuiltinModule('node:v8').setFlagsFromString('--expose-gc');
  (process.getBuiltinModule('node:vm').runInNewContext('gc') as () => void)();
}
