// The control commands about logging that every daemon has: vlog/set, vlog/list, and so on.
import type { LogOutput } from '../../host/log-output.ts';
import { controlError, type UnixctlServer } from './unixctl.ts';

function orFail(fault: string | undefined): string {
  if (fault !== undefined) throw controlError(fault);
  return '';
}

/** Registers them. */
export function registerLogCommands(unixctl: UnixctlServer, output: LogOutput): void {
  const { settings } = output;
  unixctl.register('vlog/set', '{spec | PATTERN:destination:pattern}', 0, Number.POSITIVE_INFINITY, (args) => {
    // Without any word every module and destination goes to dbg; else each word is a spec of its own.
    for (const spec of args.length === 0 ? [''] : args) orFail(settings.apply(spec));
    return '';
  });
  unixctl.register('vlog/list', '', 0, 0, () => settings.list());
  unixctl.register('vlog/list-pattern', '', 0, 0, () => settings.listPatterns());
  unixctl.register('vlog/reopen', '', 0, 0, () => {
    if (!output.hasFile) throw controlError('Logging to file not configured');
    return orFail(output.reopenFile());
  });
  unixctl.register('vlog/close', '', 0, 0, () => {
    output.closeFile();
    return '';
  });
  const any = Number.POSITIVE_INFINITY;
  unixctl.register('vlog/enable-rate-limit', '[module]...', 0, any, (args) => orFail(settings.setRateLimit(args, true)));
  unixctl.register('vlog/disable-rate-limit', '[module]...', 0, any, (args) => orFail(settings.setRateLimit(args, false)));
}
