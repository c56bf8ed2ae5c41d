import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setLogSink } from '../../base/log.ts';
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

test('any JSON as argument and as id is answered, and said in the log, as the reference does', async () => {
  const lines: string[] = [];
  const before = setLogSink({ shows: () => true, write: ({ message }) => void lines.push(message) });
  try {
    const server = new UnixctlServer('testd');
    server.register('greet', 'NAME', 1, 1, () => 'hello');
    const [client, far] = streamPair('unix');
    server.accept(far);
    const answers: string[] = [];
    client.start({ onData: (bytes) => void answers.push(Buffer.from(bytes).toString()), onClose: () => {} });
    client.write(Buffer.from('{"id":1,"method":"greet","params":[9007199254740993]}{"id":["a",{"b":2}],"method":"greet","params":[]}'));
    await new Promise(setImmediate);
    assert.deepEqual(answers, [
      '{"id":1,"error":"\\"greet\\" command has non-string argument\\n"}',
      '{"id":["a",{"b":2}],"error":"\\"greet\\" command requires at least 1 arguments\\n"}',
    ]);
    assert.ok(lines.includes('received request greet[9007199254740993], id=1'), lines.join('\n'));
    assert.ok(lines.includes('received request greet[], id=["a",{"b":2}]'), lines.join('\n'));
    client.close();
  } finally {
    setLogSink(before);
  }
});
