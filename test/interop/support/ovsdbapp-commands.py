# What Neutron and others do through ovsdbapp: commands on the switch's database, and on OVN's through a relay that drops its clients in between.
import logging
import re
import subprocess
import sys
import time

from ovsdbapp.backend.ovs_idl import connection

logging.disable(logging.CRITICAL)

UUID = re.compile(r'[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}')


def plain(value):
    if isinstance(value, dict):
        return {key: plain(value[key]) for key in sorted(value, key=str)}
    if isinstance(value, (list, tuple, set)):
        return sorted((plain(item) for item in value), key=str)
    # Which of two equal rows is named first is the chance of a hash.
    text = re.sub(r'First row, with.*(?=",)', 'ROWS', UUID.sub('UUID', str(value)))
    return re.sub(r' object at \w+', '', text)


def run(api, name, *args, **kwargs):
    try:
        result = plain(getattr(api, name)(*args, **kwargs).execute(check_error=True))
    except Exception as error:
        result = '%s: %s' % (type(error).__name__, plain(str(error)))
    print(name, plain(args), plain(kwargs), '->', result, flush=True)


def switch(endpoint):
    from ovsdbapp.schema.open_vswitch import impl_idl
    idl = connection.OvsdbIdl.from_server(endpoint, 'Open_vSwitch')
    api = impl_idl.OvsdbIdl(connection.Connection(idl=idl, timeout=20))
    run(api, 'add_br', 'br0', datapath_type='netdev')
    run(api, 'add_br', 'br0')
    run(api, 'add_br', 'br0', may_exist=False)
    run(api, 'list_br')
    run(api, 'br_exists', 'br0')
    run(api, 'br_exists', 'br9')
    run(api, 'add_port', 'br0', 'p0')
    run(api, 'db_set', 'Interface', 'p0', ('type', 'internal'), ('external_ids', {'a': 'b', '__proto__': 'constructor'}))
    run(api, 'add_port', 'br0', 'p0', may_exist=False)
    run(api, 'db_set', 'Port', 'p0', ('tag', 7), ('other_config', {'x': '1'}))
    run(api, 'db_set', 'Port', 'p0', ('tag', 70000))
    run(api, 'db_add', 'Bridge', 'br0', 'protocols', 'OpenFlow10', 'OpenFlow13')
    run(api, 'db_add', 'Bridge', 'br0', 'protocols', 'strange')
    run(api, 'db_get', 'Bridge', 'br0', 'protocols')
    run(api, 'db_remove', 'Bridge', 'br0', 'protocols', 'OpenFlow10')
    run(api, 'db_find', 'Port', ('tag', '=', 7), columns=['name', 'tag', 'other_config'])
    run(api, 'db_list', 'Interface', columns=['name', 'type', 'external_ids', 'error'])
    run(api, 'list_ports', 'br0')
    run(api, 'list_ifaces', 'br0')
    run(api, 'port_to_br', 'p0')
    run(api, 'iface_to_br', 'p0')
    run(api, 'br_set_external_id', 'br0', 'k', 'v')
    run(api, 'br_get_external_id', 'br0', 'k')
    run(api, 'iface_set_external_id', 'p0', 'iface-id', 'x')
    run(api, 'iface_get_external_id', 'p0', 'iface-id')
    run(api, 'set_controller', 'br0', ['tcp:127.0.0.1:1', 'tcp:127.0.0.1:2'])
    run(api, 'get_controller', 'br0')
    run(api, 'set_fail_mode', 'br0', 'secure')
    run(api, 'add_manager', 'ptcp:6699:127.0.0.1')
    run(api, 'get_manager')
    run(api, 'remove_manager', 'ptcp:6699:127.0.0.1')
    run(api, 'del_controller', 'br0')
    qos = api.db_create('QoS', type='linux-noop', other_config={'max-rate': '5'}).execute(check_error=True)
    run(api, 'db_set', 'Port', 'p0', ('qos', qos))
    run(api, 'db_get', 'Port', 'p0', 'qos')
    run(api, 'db_clear', 'Port', 'p0', 'qos')
    run(api, 'db_destroy', 'QoS', qos)
    with api.transaction(check_error=True) as together:
        together.add(api.add_br('br1', datapath_type='netdev'))
        together.add(api.add_port('br1', 'p1'))
        together.add(api.db_set('Interface', 'p1', ('type', 'internal')))
    run(api, 'list_br')
    run(api, 'del_port', 'p0', bridge='br0')
    run(api, 'del_port', 'p9', if_exists=False)
    run(api, 'del_br', 'br0')
    run(api, 'del_br', 'br9', if_exists=False)
    run(api, 'db_list', 'Bridge', columns=['name', 'fail_mode', 'protocols'])


def network(endpoint, control):
    from ovsdbapp.schema.ovn_northbound import impl_idl
    idl = connection.OvsdbIdl.from_server(endpoint, 'OVN_Northbound', leader_only=False)
    api = impl_idl.OvnNbApiIdlImpl(connection.Connection(idl=idl, timeout=20))
    run(api, 'ls_add', 'ls0', external_ids={'a': 'b'})
    run(api, 'ls_add', 'ls0')
    run(api, 'lsp_add', 'ls0', 'lp0', addresses=['00:00:00:00:00:01 10.0.0.1'])
    run(api, 'lsp_add', 'ls0', 'lp1', parent_name='lp0', tag=5)
    run(api, 'lsp_set_addresses', 'lp1', ['unknown'])
    run(api, 'lsp_set_port_security', 'lp0', ['00:00:00:00:00:01'])
    run(api, 'acl_add', 'ls0', 'to-lport', 1001, 'tcp.dst == 80', 'allow-related', log=True)
    run(api, 'acl_add', 'ls0', 'to-lport', 40000, 'ip', 'drop')
    run(api, 'acl_list', 'ls0')
    # The relay drops its clients; what was changed in the meantime is told to whoever comes back.
    subprocess.run(control.split(), check=True)
    row = '["OVN_Northbound",{"op":"insert","table":"Logical_Router","row":{"name":"meanwhile"}}]'
    subprocess.run(['ovsdb-client', 'transact', 'unix:/tmp/source', row], check=True, stdout=subprocess.DEVNULL)
    deadline = time.time() + 20
    while not any(row.name == 'meanwhile' for row in api.tables['Logical_Router'].rows.values()) and time.time() < deadline:
        time.sleep(0.05)
    run(api, 'lr_list')
    run(api, 'lr_add', 'lr0')
    run(api, 'lrp_add', 'lr0', 'lrp0', '00:00:00:00:00:02', ['10.0.0.254/24'])
    run(api, 'lr_route_add', 'lr0', '0.0.0.0/0', '10.0.0.253')
    run(api, 'lr_nat_add', 'lr0', 'snat', '1.2.3.4', '10.0.0.0/24')
    run(api, 'lr_nat_list', 'lr0')
    run(api, 'lb_add', 'lb0', '192.168.0.1:80', ['10.0.0.1:80', '10.0.0.2:80'], protocol='tcp')
    run(api, 'ls_lb_add', 'ls0', 'lb0')
    run(api, 'dhcp_options_add', '10.0.0.0/24')
    run(api, 'pg_add', 'pg0')
    run(api, 'pg_add_ports', 'pg0', 'nosuch')
    run(api, 'ls_list')
    run(api, 'lsp_del', 'lp1')
    run(api, 'ls_del', 'ls0')
    run(api, 'db_list', 'Logical_Router_Static_Route', columns=['ip_prefix', 'nexthop'])


if sys.argv[1] == 'switch':
    switch(sys.argv[2])
else:
    network(sys.argv[2], sys.argv[3])
