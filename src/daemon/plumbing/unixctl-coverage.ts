// Control commands about event counters, as every program with a control socket has them: coverage/*.
import { formatCoverage, readCoverage } from '../../base/coverage.ts';
import { controlError, type UnixctlServer } from './unixctl.ts';

/** Registers them. */
export function registerCoverageCommands(unixctl: UnixctlServer): void {
  unixctl.register('coverage/show', '', 0, 0, () => formatCoverage());
  unixctl.register('coverage/read-counter', 'COUNTER', 1, 1, ([name = '']) => {
    const total = readCoverage(name);
    if (total === undefined) throw controlError('No such counter');
    return String(total);
  });
}
