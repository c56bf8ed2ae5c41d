import assert from 'node:assert/strict';
import { test } from 'node:test';
import { streamPair } from '../../base/stream.ts';
import { RpcSession } from '../../ovsdb/json/jsonrpc.ts';
import { UnixctlServer } from './unixctl.ts';

const silent = { onRequest: () => {}, onNotify: () => {}, onClose: () => {} };

test('commands, their faults and their list', async () => {
  const server = new UnixctlServer('testd');
  server.register('greet', 'NAME', 1, 1, ([name]) => `hello ${name}`);
  const [client, far] = streamPair('unix');
  server.accept(far);
  const session = new RpcSession(client, silent);
  assert.equal(await session.call('greet', ['you']), 'hello you\n');
  assert.equal(await session.call('version', []), 'testd (Open vSwitch) 3.1.0\n');
  assert.equal(
    await session.call('list-commands', []),
    'The available commands are:\n  greet                   NAME\n  list-commands           \n  version                 \n',
  );
  await assert.rejects(session.call('greet', []), { message: '"greet" command requires at least 1 arguments\n' });
  await assert.rejects(session.call('greet', ['a', 'b']), { message: '"greet" command takes at most 1 arguments\n' });
  await assert.rejects(session.call('x', []), {
    message: '"x" is not a valid command (use "list-commands" to see a list of valid commands)\n',
  });
  session.close();
});
