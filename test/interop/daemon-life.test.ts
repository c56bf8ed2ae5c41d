// How a daemon lives: options that all daemons share, pidfiles and their locks, the monitor, another user. Each line runs in two hosts, with
// Debian's programs and with ours, and has to say the same.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { cannot, type Host, type Tools, type World, world } from './support/world.ts';

const skip = cannot('ovsdb-server', 'ovs-vswitchd', 'ovs-appctl') || false;

/** Functions of the shell that runs the lines. */
const SHELL = `
cd $OVS_RUNDIR
pid() { cat \${1:-ovsdb-server.pid}; }
parent() { ps -o ppid= -p $1 | tr -d ' '; }
gone() { for i in $(seq 100); do kill -0 $1 2>/dev/null || return 0; sleep .1; done; echo still there; }
changed() { for i in $(seq 100); do [ "$(cat ovsdb-server.pid 2>/dev/null)" != $1 ] && ovs-appctl -t ovsdb-server version 2>/dev/null && return 0; sleep .1; done; echo not restarted; }
server() { ovsdb-server --detach --no-chdir --pidfile -vconsole:off --remote=punix:$OVS_RUNDIR/db.sock "$@"; }
`;

function said(host: Host, tools: Tools, line: string): string {
  const { code, stdout, stderr } = host.run(`${SHELL}\n${line}`, { tools, timeout: 40_000 });
  const text = `${stdout}${stderr}`
    .replaceAll(host.dir, 'DIR')
    .replaceAll(/20\d\d-\d\d-\d\dT[\d:.]+Z/g, 'TIME')
    .replaceAll(/pid \d+/g, 'pid N')
    .replaceAll(/\.\d+\.ctl/g, '.N.ctl')
    // Said by one of the two only because of how it is built.
    .replaceAll(/.*(\|ovs_numa\||\|backtrace).*\n/g, '')
    .replaceAll(/\|\d{5}\|/g, '|N|');
  return `${line}\ncode ${code}\n${text}`;
}

function compare(w: World, lines: readonly string[]): void {
  const hosts = (['debian', 'weft'] as const).map((tools) => [w.host(tools), tools] as const);
  for (const [host] of hosts)
    host.ok('ovsdb-tool create $OVS_RUNDIR/conf.db /usr/share/openvswitch/vswitch.ovsschema', { tools: 'debian' });
  for (const line of lines) {
    const [debian, weft] = hosts.map(([host, tools]) => said(host, tools, line));
    assert.equal(weft, debian);
  }
}

test('options that cannot be', { skip }, (t) => {
  compare(world(t), [
    'ovs-vswitchd --user=nosuchuser',
    'ovs-vswitchd --user=root:nosuch',
    'ovsdb-server --user=:nosuch',
    'ovs-vswitchd --pidfile=$PWD/named --user=nosuchuser',
    'ovs-vswitchd --user=nosuchuser --pidfile=$PWD/named',
    'ovsdb-server --pidfile=$PWD/one --user=root:nosuch --pidfile=$PWD/other',
    'ovs-vswitchd --syslog-method=nosuch',
    'ovs-vswitchd --syslog-method=null --version',
    'ovsdb-server --unixctl=/nosuch/ctl',
    'ovs-vswitchd --pidfile=/nosuch/pid --detach',
    'ovs-vswitchd -vnosuch',
    'ovs-vswitchd -vPATTERN:x:y',
    'ovs-vswitchd -vFACILITY:x',
    'ovs-vswitchd --detach=x',
    'ovs-vswitchd --nosuch=x',
    'ovs-vswitchd --log-file=/nosuch/log',
    'ovsdb-tool --log-file=x db-name',
    'ovs-appctl --log-file=x.log -t nosuch version',
    'ovs-appctl -e -T 0 version',
    'ovs-appctl -e -t nosuch version',
    'ovs-vswitchd --unixctl',
  ]);
});

test('a pidfile says what its lock says', { skip }, (t) => {
  compare(world(t), [
    'for text in "" abc 99999 $$; do echo "$text" > ovsdb-server.pid; ovs-appctl -t ovsdb-server version; done',
    'server; p=$(pid); for text in "" abc 1 "$p x"; do echo "$text" > ovsdb-server.pid; ovs-appctl -t ovsdb-server version; done; : > ovsdb-server.pid; ovs-appctl -t ovsdb-server version; echo $p > ovsdb-server.pid; ovs-appctl -t ovsdb-server exit; gone $p',
    'server && ovs-appctl -t ovsdb-server version && stat -c "%a %F" ovsdb-server.pid *.ctl db.sock',
    'server',
    'ovsdb-server --pidfile=other.pid --unixctl=none',
    'ovsdb-tool create c.db /usr/share/openvswitch/vswitch.ovsschema; ovsdb-server --detach --no-chdir --pidfile --overwrite-pidfile --unixctl=two.ctl c.db; ls',
    'ovs-appctl -t $OVS_RUNDIR/two.ctl exit; for ctl in ovsdb-server.*.ctl; do ovs-appctl -t $OVS_RUNDIR/$ctl exit; done; sleep .5; ls',
    'server && p=$(pid) && kill -9 $p && gone $p; ls; ovs-appctl -t ovsdb-server version',
    'server && ls && p=$(pid) && ovs-appctl -t ovsdb-server exit && gone $p; ls',
    'server && p=$(pid) && kill $p && gone $p; ls',
  ]);
});

test('log files by name, moved and made anew', { skip }, (t) => {
  compare(world(t), [
    'server; ovs-appctl -t ovsdb-server vlog/reopen; ovs-appctl -t ovsdb-server vlog/close; p=$(pid); ovs-appctl -t ovsdb-server exit; gone $p',
    'server --log-file=rel.log; mv rel.log old.log; ovs-appctl -t ovsdb-server vlog/reopen; cat old.log rel.log; stat -c %a rel.log',
    'rm rel.log; mkdir rel.log; ovs-appctl -t ovsdb-server vlog/reopen; rmdir rel.log; ovs-appctl -t ovsdb-server vlog/reopen; ls *.log; p=$(pid); ovs-appctl -t ovsdb-server exit; gone $p',
    // The usual file may be missing, one that was named may not.
    'export OVS_LOGDIR=/nosuch; server --log-file -vconsole:info; ovs-vsctl --log-file -t 1 --db=unix:none show; ovs-appctl -t ovsdb-server exit',
    'ovsdb-server --detach --no-chdir --pidfile --log-file=/nosuch/log -vconsole:info conf.db; p=$(pid); ovs-appctl -t ovsdb-server exit; gone $p',
  ]);
});

test('the monitor starts what crashed, and ends with what ended', { skip }, (t) => {
  const names = 'ps -o comm= -p $m; ps -o args= -p $m';
  compare(world(t), [
    `server --monitor --log-file; p=$(pid); m=$(parent $p); ps -o comm= -p $p; ${names}; kill -SEGV $p; changed $p; ${names}`,
    'ovs-vsctl --no-wait --timeout=5 init',
    'p=$(pid); m=$(parent $p); kill -TERM $p; gone $m; ls; grep -h "crashes\\|exiting\\|terminating" ovsdb-server.log; rm ovsdb-server.log',
    'server --monitor --log-file; p=$(pid); m=$(parent $p); ovs-appctl -t ovsdb-server exit; gone $m; ls; grep -h "crashes\\|exiting\\|terminating" ovsdb-server.log',
  ]);
});

test('another user owns what the daemon makes, and keeps the rights that it needs', { skip }, (t) => {
  const w = world(t);
  const start = (program: string): string =>
    `chmod 711 .. .; mkdir -p u; chmod 777 u; ${program} --detach --no-chdir --user=nobody:nogroup --pidfile=$PWD/u/p --unixctl=$PWD/u/ctl --log-file=$PWD/u/l -vconsole:off`;
  const look = 'ps -o user=,group= -p $(pid u/p); stat -c "%U %G %n" u/*; p=$(pid u/p); ovs-appctl -t $PWD/u/ctl exit; gone $p; ls u';
  compare(w, [
    `chmod 666 conf.db; touch .conf.db.~lock~; chmod 666 .conf.db.~lock~; ${start('ovsdb-server')} --remote=punix:$PWD/u/db.sock; ${look}`,
  ]);
  // Ours needs more than the reference: what eBPF asks for.
  const host = w.host('rights');
  host.ok(
    `ovsdb-tool create $OVS_RUNDIR/conf.db && ovsdb-server --detach --no-chdir --pidfile -vconsole:off --remote=punix:$OVS_RUNDIR/db.sock && chmod 777 $OVS_RUNDIR/db.sock`,
  );
  const rights = host.ok(
    `${SHELL}\n${start('ovs-vswitchd')} unix:$PWD/db.sock; grep CapEff /proc/$(pid u/p)/status; ovs-appctl -t $PWD/u/ctl exit`,
  );
  const effective = BigInt(`0x${/CapEff:\s*([0-9a-f]+)/.exec(rights)![1]}`);
  for (const needed of [10n, 12n, 13n, 38n, 39n]) assert.ok((effective >> needed) & 1n, `capability ${needed}`);
  assert.equal((effective >> 21n) & 1n, 0n, 'no CAP_SYS_ADMIN');
});
