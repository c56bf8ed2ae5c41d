// `--record` writes down what reaches the process from outside, and `--replay` runs it from that, without a socket (ovsdb-server(1)).
import type { ParsedOption } from '../../base/getopt.ts';
import { runDir } from '../directories.ts';
import { setReplayHooks } from './replay-hooks.ts';

/** Obeys `--record` and `--replay`, of which the last counts; before the first connection. */
export async function applyReplayOptions(options: readonly ParsedOption[]): Promise<void> {
  const option = options.findLast(({ name }) => name === 'record' || name === 'replay');
  if (option === undefined) return;
  const { name, value = '' } = option;
  const dir = value.startsWith('/') ? value : value === '' ? runDir() : `${runDir()}/${value}`;
  setReplayHooks(
    name === 'record' ? new (await import('./replay-record.ts')).Recorder(dir) : new (await import('./replay-run.ts')).Replayer(dir),
  );
}
