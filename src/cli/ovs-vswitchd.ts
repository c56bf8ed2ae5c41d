// ovs-vswitchd on the command line.
import { runVswitchd } from '../daemon/ovs-vswitchd/main.ts';

/** Runs the daemon; gives an exit code only when there is nothing to run. */
export const main = (argv: string[]): Promise<number | undefined> => runVswitchd(argv);
