// One shell script run as if it had the machine to itself: network, processes, /run, /tmp and Open vSwitch's folders are its own, so that
// programs which know only the standard places (/var/run/openvswitch, /etc/openvswitch) meet our daemons there, and programs which kill
// processes by name (`mn -c`) or sweep /tmp reach nobody else. All of it is gone when the script ends.
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Outcome, Tools } from './world.ts';
import { root } from './world.ts';

/** Settings of a script. */
export interface PrivateOptions {
  /** Whose programs come first in PATH: 'weft' when not given. */
  tools?: Tools;
  /** Whose daemons run before the script starts: 'weft' when not given, 'none' for a machine without. */
  daemons?: Tools | 'none';
  /** Milliseconds until all is killed; 60 s when not given. */
  timeout?: number;
}

const systemPath = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';
const quoted = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`;

/** The lines that start one side's daemons at the standard places. */
export function startLines(side: Tools): string {
  const path = side === 'weft' ? `${join(root, 'bin')}:${systemPath}` : systemPath;
  const schema = existsSync('/usr/share/openvswitch/vswitch.ovsschema') ? ' /usr/share/openvswitch/vswitch.ovsschema' : '';
  return `
    mkdir -p /etc/openvswitch /var/log/openvswitch
    ( set -e
      PATH=${quoted(path)}
      ovsdb-tool create /etc/openvswitch/conf.db${schema}
      ovsdb-server --remote=punix:/var/run/openvswitch/db.sock --remote=db:Open_vSwitch,Open_vSwitch,manager_options \\
        -vconsole:off --detach --no-chdir --pidfile --log-file
      ovs-vsctl --no-wait init
      ovs-vswitchd -vconsole:off --detach --no-chdir --pidfile --log-file
    ) || exit 99
  `;
}

/** Runs a shell script on a private machine; the exit code is the script's, 99 when the daemons did not start. */
export async function privately(script: string, options: PrivateOptions = {}): Promise<Outcome> {
  const path = options.tools === 'debian' ? systemPath : `${join(root, 'bin')}:${systemPath}`;
  const daemons = options.daemons ?? 'weft';
  // The repository may itself stand under /tmp.
  const hide = root.startsWith('/tmp/')
    ? `mkdir /run/weft-source && mount --bind ${quoted(root)} /run/weft-source && mount -t tmpfs tmpfs /tmp && mkdir -p ${quoted(root)} && mount --bind /run/weft-source ${quoted(root)}`
    : 'mount -t tmpfs tmpfs /tmp';
  const whole = `${hide} || exit 98\nexport PATH=${quoted(path)}\n${daemons === 'none' ? '' : startLines(daemons)}\n${script}`;
  const fence = ['--net', '--mount', '--pid', '--fork', '--kill-child', '--mount-proc'];
  const child = spawn('unshare', [...fence, 'sh', join(root, 'scripts/private.sh'), 'sh', '-c', whole], {
    env: { PATH: systemPath, LC_ALL: 'C', TZ: 'UTC', HOME: '/tmp', TERM: 'dumb' },
    stdio: ['ignore', 'pipe', 'pipe'],
    cwd: '/',
  });
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  // SIGKILL to unshare ends process 1 of the machine, and with it everything else there.
  const timer = setTimeout(() => child.kill('SIGKILL'), options.timeout ?? 60_000);
  const code = await new Promise<number>((resolve) => child.once('close', (status) => resolve(status ?? 128)));
  clearTimeout(timer);
  return { code, stdout, stderr };
}
