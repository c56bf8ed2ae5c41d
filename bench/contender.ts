// What is compared: something between the devices va and vb of a namespace of its own that switches frames from one to the other.
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { must, printed, root, type Site, sleep } from './namespaces.ts';

export interface Contender {
  name: string;
  label: string;
  /** Why it cannot run here, or ''. */
  cannot(): string;
  /** Sets up the switch in `middle`; `left` and `right` hold the other ends, `ea` and `eb`. */
  start(site: Site, middle: string, left: string, right: string): Promise<void>;
}

const node = process.execPath;

/** The environment that keeps an Open vSwitch to a folder of its own. */
const ovsEnvironment = (dir: string): Record<string, string> => ({ OVS_RUNDIR: dir, OVS_DBDIR: dir, OVS_LOGDIR: dir, OVS_SYSCONFDIR: dir });

async function startOvs(
  site: Site,
  middle: string,
  bin: { server: string; vswitchd: string; vsctl: string; tool: string },
  type = 'netdev',
): Promise<void> {
  const dir = join(site.dir, middle);
  mkdirSync(dir, { recursive: true });
  const env = ovsEnvironment(dir);
  must([bin.tool, 'create', join(dir, 'conf.db'), '/usr/share/openvswitch/vswitch.ovsschema'], env);
  const end = (daemon: string) => (): void => {
    const file = join(dir, `${daemon}.pid`);
    if (existsSync(file)) process.kill(Number(readFileSync(file, 'utf8')));
  };
  site.run(
    middle,
    [bin.server, join(dir, 'conf.db'), `--remote=punix:${dir}/db.sock`, '--detach', '--pidfile', '--log-file', '-vconsole:off'],
    env,
  );
  site.atEnd(end('ovsdb-server'));
  const vsctl = (...words: string[]): string => site.run(middle, [bin.vsctl, `--db=unix:${dir}/db.sock`, '--timeout=20', ...words], env);
  vsctl('--no-wait', 'init');
  site.run(middle, [bin.vswitchd, `unix:${dir}/db.sock`, '--detach', '--pidfile', '--log-file', '-vconsole:off'], env);
  site.atEnd(end('ovs-vswitchd'));
  vsctl(
    'add-br',
    'br0',
    '--',
    'set',
    'bridge',
    'br0',
    `datapath_type=${type}`,
    '--',
    'add-port',
    'br0',
    'va',
    '--',
    'add-port',
    'br0',
    'vb',
  );
  await sleep(1500);
}

const bridge: Contender = {
  name: 'bridge',
  label: 'Linux bridge',
  cannot: () => '',
  async start(_site, middle) {
    must(['ip', '-n', middle, 'link', 'add', 'br0', 'type', 'bridge']);
    for (const device of ['va', 'vb']) must(['ip', '-n', middle, 'link', 'set', device, 'master', 'br0']);
    must(['ip', '-n', middle, 'link', 'set', 'br0', 'up']);
    await sleep(500);
  },
};

const ovs: Contender = {
  name: 'ovs',
  label: 'Open vSwitch netdev (tx offloads off)',
  cannot: () => (existsSync('/usr/sbin/ovs-vswitchd') ? '' : 'Debian package openvswitch-switch is not installed'),
  async start(site, middle, left, right) {
    const [vswitchd, server] = ['/usr/sbin/ovs-vswitchd', '/usr/sbin/ovsdb-server'];
    await startOvs(site, middle, { server, vswitchd, vsctl: '/usr/bin/ovs-vsctl', tool: '/usr/bin/ovsdb-tool' });
    // Without this its TCP fails: it passes partial checksums on as if they were whole.
    site.run(left, ['ethtool', '-K', 'ea', 'tx', 'off']);
    site.run(right, ['ethtool', '-K', 'eb', 'tx', 'off']);
  },
};

const weft = (type: 'netdev' | 'system'): Contender => ({
  name: type === 'netdev' ? 'weft' : 'weft-system',
  label: `Weft ${type}`,
  cannot: () => '',
  async start(site, middle) {
    const bin = (tool: string): string => join(root, 'bin', tool);
    const [server, vswitchd] = [bin('ovsdb-server'), bin('ovs-vswitchd')];
    await startOvs(site, middle, { server, vswitchd, vsctl: bin('ovs-vsctl'), tool: bin('ovsdb-tool') }, type);
  },
});

const weftDatapath: Contender = {
  name: 'weft-datapath',
  label: 'Weft netdev, two static flows',
  cannot: () => '',
  async start(site, middle) {
    const child = site.start(middle, [node, '--disable-warning=ExperimentalWarning', join(root, 'bench/static-switch.ts'), 'va', 'vb']);
    await printed(child, 'ready');
  },
};

/** Who is compared for the user-space datapath. */
export const contenders: readonly Contender[] = [bridge, ovs, weft('netdev'), weftDatapath];

/** Who is compared for the default datapath. */
export const systemContenders: readonly Contender[] = [bridge, ovs, weft('netdev'), weft('system')];
