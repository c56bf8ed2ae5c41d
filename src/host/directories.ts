// Where Open vSwitch's files live: the environment decides, else Debian's places.

/** Sockets and pidfiles. */
export const runDir = (): string => process.env['OVS_RUNDIR'] ?? '/var/run/openvswitch';
/** Log files. */
export const logDir = (): string => process.env['OVS_LOGDIR'] ?? '/var/log/openvswitch';
/** Configuration; the database's folder is `openvswitch` below it unless OVS_DBDIR says otherwise. */
export const sysconfDir = (): string => process.env['OVS_SYSCONFDIR'] ?? '/etc';
/** Databases: OVS_DBDIR, else OVS_SYSCONFDIR/openvswitch. */
export const dbDir = (): string => process.env['OVS_DBDIR'] ?? `${sysconfDir()}/openvswitch`;
