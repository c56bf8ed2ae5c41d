// What is compared: something between the devices va and vb of a namespace of its own that switches frames from one to the other.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { must, printed, root, type Site, sleep } from './namespaces.ts';

export interface Contender {
  name: string;
  label: string;
  /** Why it cannot run here, or ''. */
  cannot(): string;
  /** Sets up the switch in `middle`; `left` and `right` hold the other ends, `ea` and `eb`, of stations, where there are any. */
  start(site: Site, middle: string, left: string, right: string): Promise<void>;
  /** The process that moves the frames, where there is one. */
  process?(site: Site, middle: string): number;
  /** Gives the switch OpenFlow rules in the place of what it has, where it takes them: port 1 is va, 2 is vb. */
  rules?(site: Site, middle: string, rules: readonly string[]): void;
  /** Runs ovs-vsctl there, where there is one. */
  vsctl?(site: Site, middle: string, words: readonly string[]): void;
  /** Asks the process with ovs-appctl. */
  appctl?(site: Site, middle: string, words: readonly string[]): string;
  /** A tunnel's underlay device must be a port of a bridge, whose local port then has the address. */
  needsUnderlayBridge?: boolean;
}

interface Programs {
  server: string;
  vswitchd: string;
  vsctl: string;
  ofctl: string;
  appctl: string;
  tool: string;
}

const node = process.execPath;
const ours = (tool: string): string => join(root, 'bin', tool);
const OURS: Programs = {
  server: ours('ovsdb-server'),
  vswitchd: ours('ovs-vswitchd'),
  vsctl: ours('ovs-vsctl'),
  ofctl: ours('ovs-ofctl'),
  appctl: ours('ovs-appctl'),
  tool: ours('ovsdb-tool'),
};
const DEBIAN: Programs = {
  server: '/usr/sbin/ovsdb-server',
  vswitchd: '/usr/sbin/ovs-vswitchd',
  vsctl: '/usr/bin/ovs-vsctl',
  ofctl: '/usr/bin/ovs-ofctl',
  appctl: '/usr/bin/ovs-appctl',
  tool: '/usr/bin/ovsdb-tool',
};

/** What else an Open vSwitch can be told. */
function control(bin: Programs): Required<Pick<Contender, 'process' | 'rules' | 'vsctl' | 'appctl'>> {
  return {
    process: (site, middle) => Number(readFileSync(join(site.dir, middle, 'ovs-vswitchd.pid'), 'utf8')),
    rules(site, middle, rules) {
      const dir = join(site.dir, middle);
      writeFileSync(join(dir, 'rules'), rules.map((rule) => `${rule}\n`).join(''));
      site.run(middle, [bin.ofctl, '--bundle', 'replace-flows', 'br0', join(dir, 'rules')], ovsEnvironment(dir));
    },
    vsctl(site, middle, words) {
      const dir = join(site.dir, middle);
      site.run(middle, [bin.vsctl, `--db=unix:${dir}/db.sock`, '--timeout=20', ...words], ovsEnvironment(dir));
    },
    appctl(site, middle, words) {
      return site.run(middle, [bin.appctl, '--timeout=20', ...words], ovsEnvironment(join(site.dir, middle)));
    },
  };
}

/** The environment that keeps an Open vSwitch to a folder of its own. */
const ovsEnvironment = (dir: string): Record<string, string> => ({ OVS_RUNDIR: dir, OVS_DBDIR: dir, OVS_LOGDIR: dir, OVS_SYSCONFDIR: dir });

async function startOvs(site: Site, middle: string, bin: Programs, type = 'netdev'): Promise<void> {
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
  site.atEnd(() => {
    // What outlives a daemon ends with this one.
    try {
      site.run(middle, [bin.appctl, '-t', 'ovs-vswitchd', 'exit', '--cleanup'], env);
    } catch {
      end('ovs-vswitchd')();
    }
  });
  // Numbers are asked for: two ports of one transaction get them in no order.
  vsctl(
    ...['add-br', 'br0', '--', 'set', 'bridge', 'br0', `datapath_type=${type}`],
    ...['--', 'add-port', 'br0', 'va', '--', 'set', 'interface', 'va', 'ofport_request=1'],
    ...['--', 'add-port', 'br0', 'vb', '--', 'set', 'interface', 'vb', 'ofport_request=2'],
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
  ...control(DEBIAN),
  name: 'ovs',
  label: 'Open vSwitch netdev (tx offloads off)',
  needsUnderlayBridge: true,
  cannot: () => (existsSync('/usr/sbin/ovs-vswitchd') ? '' : 'Debian package openvswitch-switch is not installed'),
  async start(site, middle, left, right) {
    await startOvs(site, middle, DEBIAN);
    // Without this its TCP fails: it passes partial checksums on as if they were whole.
    if (left !== '') site.run(left, ['ethtool', '-K', 'ea', 'tx', 'off']);
    if (right !== '') site.run(right, ['ethtool', '-K', 'eb', 'tx', 'off']);
  },
};

const weft = (type: 'netdev' | 'system'): Contender => ({
  ...control(OURS),
  name: type === 'netdev' ? 'weft' : 'weft-system',
  label: `Weft ${type}`,
  cannot: () => '',
  async start(site, middle) {
    await startOvs(site, middle, OURS, type);
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
