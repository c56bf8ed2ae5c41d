// A thread that is a lone client: it sends a word to a Unix socket, waits for the answer, and begins again; then it says so.
import { parentPort, workerData } from 'node:worker_threads';
import { check, libc } from '../ffi.ts';
import { AF_UNIX, unixAddress } from './socket-address.ts';

const { path, count } = workerData as { path: string; count: number };
const c = libc();
const fd = check('socket', c.socket(AF_UNIX, 1, 0));
const address = unixAddress(path);
check('connect', c.connect(fd, address, address.length));
const word = Buffer.from('question');
for (let i = 0; i < count; i++) {
  check('send', Number(c.send(fd, word, word.length, 0)));
  for (let taken = 0; taken < word.length; ) taken += check('recv', Number(c.recv(fd, word, word.length, 0)));
}
c.close(fd);
parentPort?.postMessage('done');
