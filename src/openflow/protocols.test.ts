// Which formats can carry a packet-out: what its text named decides, be there nothing of it in the match.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { PROTOCOLS, packetOutProtocols } from './protocols.ts';
import { parsePacketOut } from './text/packet-out-text.ts';

const formats = (text: string): readonly string[] => packetOutProtocols(parsePacketOut(`${text},packet=${'00'.repeat(60)}`, {}));

test('formats of a packet-out', () => {
  const extended = PROTOCOLS.filter((name) => /^(NXM|OXM)/.test(name));
  for (const text of ['in_port=1', 'in_port_oxm=*', 'metadata=0/0', 'tun_erspan_ver=0/0']) assert.deepEqual(formats(text), PROTOCOLS, text);
  for (const text of ['in_port_oxm=1', 'metadata=0']) assert.deepEqual(new Set(formats(text)), new Set([...extended, 'OpenFlow11']), text);
  for (const text of ['reg0=0', 'tun_erspan_ver=0', 'tun_metadata0=*']) assert.deepEqual(formats(text), extended, text);
});
