// The SSL table: the switch's key and certificates for `ssl:` and `pssl:` controllers, in place of those of the command line.
import { setTlsKeys } from '../../host/sockets/tls-keys.ts';
import type { Idl } from '../../ovsdb/client/idl.ts';

/** Takes the keys that the database names now, if it names any; connections made from then on use them. */
export function takeSslKeys(idl: Idl): void {
  for (const root of idl.rows('Open_vSwitch').values()) {
    const row = idl.row('SSL', String(root.optional('ssl') ?? ''));
    if (row === undefined) return;
    setTlsKeys({
      privateKey: String(row.scalar('private_key')),
      certificate: String(row.scalar('certificate')),
      caCert: String(row.scalar('ca_cert')),
      isBootstrap: row.scalar('bootstrap_ca_cert') === true,
    });
  }
}
