// `ovsdb-client` in the background: each side's own client on its own server, what it obeys, and what is left behind.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { pair } from './support/pair.ts';
import { cannot, type Host, world } from './support/world.ts';

const skip = cannot('ovs-vsctl', 'ovsdb-server', 'ovs-vswitchd') || false;
/** Its pidfile names the control socket. */
const control = (pidfile: string, command: string): string =>
  `cd $OVS_RUNDIR && ovs-appctl -t $OVS_RUNDIR/ovsdb-client.$(cat ${pidfile}).ctl ${command} 2>&1 | sed "s/client.[0-9]*.ctl/client.N.ctl/"`;
const mirror = (name: string): string =>
  `ovs-vsctl --timeout=5 --no-wait -- --id=@m create mirror name=${name} -- add bridge br0 mirrors @m; sleep 0.5`;
const detached = (pidfile: string, words: string): string =>
  `cd $OVS_RUNDIR && ovsdb-client --detach --no-chdir --pidfile=$OVS_RUNDIR/${pidfile} ${words} >>heard.${pidfile} 2>&1; echo $?`;
const heard = (pidfile: string): string => `cd $OVS_RUNDIR && cat heard.${pidfile}`;

/** A server of another database, and what `wait` says without times. */
const LATE = [
  'cd $OVS_RUNDIR && ovsdb-tool create late.db /usr/share/openvswitch/vswitch.ovsschema',
  'late() { ovsdb-server --remote=punix:late --unixctl=$OVS_RUNDIR/late.ctl --detach --no-chdir --pidfile=$OVS_RUNDIR/late.pid late.db 2>/dev/null; }',
  'control() { ovs-appctl -t $OVS_RUNDIR/late.ctl "$@"; }',
  'words() { ovsdb-client -t9 wait unix:late Open_vSwitch $1 2>&1 | sed "s/^[^|]*|//"; }',
];
/** Whoever waits for a database waits for its server, too; */
const YET_TO_START = [...LATE, '(sleep 0.5; late) & words connected; wait; control exit; rm late.db'].join('\n');
/** and for the next one, where Debian's client crashes. */
const STARTS_ANEW = [
  ...LATE,
  'late; (sleep 0.5; control exit; sleep 0.3; late; sleep 2; control ovsdb-server/remove-db Open_vSwitch) &',
  'words removed; wait; control exit; rm late.db',
].join('\n');

const LINES = [
  YET_TO_START,
  'ovs-vsctl --timeout=10 add-br br0',
  detached('m', 'monitor Open_vSwitch Mirror name'),
  'cd $OVS_RUNDIR && ls m && test -d /proc/$(cat m) && echo alive',
  control('m', 'list-commands'),
  control('m', 'version'),
  mirror('a'),
  heard('m'),
  control('m', 'ovsdb-client/block'),
  control('m', 'ovsdb-client/block'),
  mirror('b'),
  heard('m'),
  control('m', 'ovsdb-client/unblock'),
  control('m', 'ovsdb-client/unblock'),
  control('m', 'ovsdb-client/unblock x'),
  `sleep 0.3; ${heard('m')}`,
  'cd $OVS_RUNDIR && ovsdb-client --detach --pidfile=$OVS_RUNDIR/m monitor Open_vSwitch Mirror name 2>&1 | sed "s/pid [0-9]*/pid N/"',
  control('m', 'exit; sleep 0.7; ls m'),
  detached('c', `monitor-cond '[["name","==","c"]]' Open_vSwitch Mirror name`),
  detached('c', `monitor-cond Open_vSwitch '[["name","==","c"]]' Mirror name`),
  mirror('c'),
  mirror('d'),
  heard('c'),
  control('c', 'ovsdb-client/cond_change'),
  control('c', `ovsdb-client/cond_change Mirror '[["name","==","d"]]'`),
  // The rows of one update stand in the order of a hash table.
  `sleep 0.3; ${heard('c')} | sort`,
  control('c', `ovsdb-client/cond_change Mirror '[["name","==",'`),
  control('c', `ovsdb-client/cond_change X '[true]'`),
  'cd $OVS_RUNDIR && kill $(cat c); sleep 0.7; ls c',
  detached('l', 'lock one'),
  ...['list-commands', 'lock two', 'lock two', 'steal three', 'unlock three', 'unlock three', 'lock 9', 'lock'].map((words) =>
    control('l', words),
  ),
  detached('s', 'steal one'),
  `sleep 0.3; ${heard('l')}`,
  control('s', 'exit; sleep 0.7; ls s'),
  `sleep 0.3; ${heard('l')}`,
  control('l', 'exit; sleep 0.7; ls l'),
  detached('n', 'monitor Open_vSwitch Nosuch'),
  `${heard('n')}; ls n`,
  detached('nosuch/n', 'monitor Open_vSwitch Mirror'),
  'ls $OVS_RUNDIR/*.ctl | grep -c client',
];

test('monitors and locks go to the background, obey, and leave nothing', { skip }, async (t) => {
  const [theirs, ours] = await pair(world(t), ['--enable-dummy=override']);
  const run = (host: Host, line: string): object => {
    const { code, stdout, stderr } = host.run(line);
    const text = (stdout + stderr).replaceAll(host.dir, 'DIR').replaceAll(/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/g, 'UUID');
    const lines = text.split('\n');
    return { line, code, text: line.endsWith('| sort') ? lines.sort() : lines };
  };
  for (const line of LINES) assert.deepEqual(run(ours, line), run(theirs, line));
  const steps = ['connecting...', 'connected', 'connection closed by peer', 'connecting...', 'connected'];
  assert.equal(
    ours.run(STARTS_ANEW, { tools: 'weft' }).stdout,
    steps.map((step, i) => `0000${i + 1}|reconnect|INFO|unix:late: ${step}\n`).join(''),
  );
});
