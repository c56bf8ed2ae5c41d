import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hostPortFault } from './host-port.ts';

test('a host and a port, or what is wrong with them', () => {
  for (const good of ['127.0.0.1:9', 'localhost:0', '[::1]:65535']) assert.equal(hostPortFault(good), undefined, good);
  for (const bare of ['x', '', ':5', '1.2.3.4:', '::1:5']) assert.equal(hostPortFault(bare), `${bare}: port must be specified`);
  for (const port of ['x', '65536', '-1']) assert.equal(hostPortFault(`h:${port}`), `h:${port}: bad port number "${port}"`);
});
