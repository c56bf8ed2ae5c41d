// The scripts and command lines that other packages run: ovs-ctl, the ifupdown hook, libvirt's ovs-vsctl lines. What they print and leave is
// the reference's.
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { test } from 'node:test';
import { privately } from './support/private-machine.ts';
import { cannot, type Tools } from './support/world.ts';

const scripts = '/usr/share/openvswitch/scripts';
const skip = cannot('ovs-vswitchd', 'ovsdb-server') || (existsSync(`${scripts}/ovs-ctl`) ? false : 'needs openvswitch-switch');

/** UUIDs and what else differs between any two runs. */
const plain = (text: string): string => text.replace(/[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f-]{22}/g, 'UUID').replace(/pid \d+|\(\d+\)/g, 'PID');

async function same(script: string, daemons: boolean): Promise<string> {
  const side = async (tools: Tools): Promise<string> => {
    const done = await privately(script, { tools, daemons: daemons ? tools : 'none', timeout: 75_000 });
    return plain(done.stdout);
  };
  const [reference, ours] = await Promise.all([side('debian'), side('weft')]);
  assert.equal(ours, reference);
  return reference;
}

test('ovs-ctl starts, names, upgrades, restarts and stops our daemons', { skip, timeout: 80_000 }, async () => {
  // ovs-lib puts Debian's folders into PATH only where they are missing, so that whoever stands first is run.
  const said = await same(
    `c() { ${scripts}/ovs-ctl "$@" 2>/dev/null; echo "exit $?"; }
    c status
    c start --system-id=hv7 --no-mlockall
    c status; c version
    ovs-vsctl get Open_vSwitch . external_ids:system-id external_ids:rundir
    ovs-vsctl add-br br0 -- set bridge br0 datapath_type=netdev
    c start --system-id=hv7 --no-mlockall
    c restart --system-id=hv7 --no-mlockall
    ovs-vsctl list-br; ovs-ofctl dump-flows br0 | grep -o 'priority=0 actions=NORMAL'
    c stop; c status; ls /var/run/openvswitch`,
    false,
  );
  assert.match(said, /ovs-vswitchd is running with PID/);
});

test("libvirt's command lines and the ifupdown hook", { skip, timeout: 80_000 }, async () => {
  const said = await same(
    `v() { ovs-vsctl --timeout=5 "$@"; echo "exit $?"; }
    ovs-vsctl add-br br0 -- set bridge br0 datapath_type=netdev
    ip tuntap add vnet0 mode tap; ip link set vnet0 up
    v -- --if-exists del-port vnet0 -- add-port br0 vnet0 -- set Interface vnet0 'external-ids:attached-mac="52:54:00:12:34:56"' \\
      -- set Interface vnet0 'external-ids:iface-id="f0a1b2c3-0000-4000-8000-000000000001"' \\
      -- set Interface vnet0 'external-ids:vm-id="aa000000-0000-4000-8000-00000000000a"' -- set Interface vnet0 external-ids:iface-status=active
    v get Interface vnet0 external_ids name
    v --if-exists get Interface vnet0 external_ids:PortData
    v set Interface vnet0 'external_ids:PortData="abc"'; v --if-exists get Interface vnet0 external_ids:PortData
    v --if-exists get Interface nope name
    v get Interface vnet0 name statistics:rx_bytes statistics:rx_packets statistics:rx_errors statistics:rx_dropped | sed 2,3d
    v -- --if-exists del-port vnet0 -- add-port br0 vnet0 tag=42 vlan_mode=native-untagged trunk=42,43 -- set Interface vnet0 external-ids:iface-status=active
    v --no-headings --columns=name,tag,trunks,vlan_mode list port vnet0
    v set port vnet0 qos=@qos1 -- --id=@qos1 create qos type=linux-htb other-config:min-rate=8000000 'external-ids:vm-id="aa"' queues:0=@queue0 \\
      -- --id=@queue0 create queue other-config:min-rate=8000000
    v --if-exists clear port vnet0 qos; v iface-to-br vnet0; v -- --if-exists del-port vnet0
    # systemctl and service reach out for the machine's own daemons; here they have nothing to say.
    mkdir /tmp/quiet; for x in systemctl service; do printf '#!/bin/sh\\nexit 1\\n' >/tmp/quiet/$x; chmod +x /tmp/quiet/$x; done
    mount --bind /tmp/quiet/systemctl "$(command -v systemctl || echo /tmp/quiet/systemctl)"
    PATH=/tmp/quiet:$PATH
    hook() { mode=$1 name=$2; shift 2; env MODE=$mode IFACE=$name "$@" sh ${scripts}/ifupdown.sh; echo "exit $?"; }
    hook start br7 IF_OVS_TYPE=OVSBridge 'IF_OVS_EXTRA=set bridge br7 fail-mode=secure datapath_type=netdev'
    hook start vnet0 IF_OVS_TYPE=OVSPort IF_OVS_BRIDGE=br7 IF_OVS_OPTIONS=tag=7
    hook start int7 IF_OVS_TYPE=OVSIntPort IF_OVS_BRIDGE=br7 IF_OVS_OPTIONS=tag=8
    hook start pat7 IF_OVS_TYPE=OVSPatchPort IF_OVS_BRIDGE=br7 IF_OVS_PATCH_PEER=pat8
    hook start tun7 IF_OVS_TYPE=OVSTunnel IF_OVS_BRIDGE=br7 IF_OVS_TUNNEL_TYPE=gre IF_OVS_TUNNEL_OPTIONS=options:remote_ip=192.0.2.1
    ovs-vsctl --timeout=10 wait-until interface pat7 'error!=[]'
    ovs-vsctl list-ports br7 | sort; ovs-vsctl get interface int7 type -- get interface pat7 options error -- get interface tun7 options error
    ip -br link | grep -oE '^(int7|br7) '
    hook stop int7 IF_OVS_TYPE=OVSIntPort IF_OVS_BRIDGE=br7
    ovs-vsctl list-ports br7 | sort
    hook stop br7 IF_OVS_TYPE=OVSBridge; ovs-vsctl list-br`,
    true,
  );
  assert.match(said, /attached-mac="52:54:00:12:34:56"/);
});

test('weft doctor says whether the switch can run, by its exit code too', { skip, timeout: 60_000 }, async () => {
  const done = await privately(
    `weft doctor; echo "exit $?"; mount --bind /dev/null /dev/net/tun; weft doctor | grep -A1 TUN; weft doctor >/dev/null; echo "exit $?"
    setpriv --bounding-set=-all --inh-caps=-all --reuid=65534 --clear-groups weft doctor | grep privileges; weft doctor x; echo "exit $?"`,
    { daemons: 'none' },
  );
  const { stdout } = done;
  assert.match(stdout, /The switch can run here\.\nexit 0\n/);
  assert.match(stdout, /exit 1\n✖ privileges {6}lacking CAP_NET_ADMIN and CAP_NET_RAW\nexit 2\n$/);
});
