// Debian's daemons and ours side by side, each in its own host, given the same command lines: what they answer has to be the same.
import assert from 'node:assert/strict';
import type { Host, Tools, World } from './world.ts';

/** A host with Debian's ovs-vswitchd and one with ours. */
export async function pair(w: World, daemonArgs: string[]): Promise<[Host, Host]> {
  const made: Host[] = [];
  for (const tools of ['debian', 'weft'] as const satisfies readonly Tools[]) {
    const host = w.host(tools);
    await host.startOvsdb('debian');
    await host.startVswitchd(tools, daemonArgs);
    made.push(host);
  }
  return made as [Host, Host];
}

/** Runs each line on both with Debian's programs, or each with its own, and compares code and text. */
export function compare(
  [reference, ours]: readonly [Host, Host],
  lines: readonly string[],
  normal: (text: string) => unknown = (text) => text.split('\n'),
  withOwn = false,
): void {
  for (const line of lines) {
    const [wanted, got] = [reference, ours].map((host) => {
      const { code, stdout, stderr } = host.run(line, { tools: withOwn && host === ours ? 'weft' : 'debian' });
      return { line, code, text: normal((stdout + stderr).replaceAll(host.dir, 'DIR')) };
    });
    assert.deepEqual(got, wanted);
  }
}
