// The serial console of a virtual machine: a Unix socket that QEMU keeps, with a shell behind it that speaks in marked lines.
import { connect } from 'node:net';
import type { Outcome } from './sandbox.ts';

let sequence = 0;

/** Runs a line of shell over the console at `path`; one at a time. */
export function ask(path: string, command: string, timeoutMs: number): Promise<Outcome> {
  const mark = `weft-${process.pid}-${++sequence}`;
  return new Promise((resolve) => {
    const socket = connect(path);
    let text = '';
    let over = false;
    const finish = (outcome: Outcome): void => {
      if (over) return;
      over = true;
      clearTimeout(timer);
      socket.destroy();
      resolve(outcome);
    };
    const timer = setTimeout(
      () => finish({ code: 124, stdout: '', stderr: `no answer on the console within ${timeoutMs / 1000} s`, timedOut: true }),
      timeoutMs,
    );
    socket.setEncoding('utf8');
    socket.on('error', (error) => finish({ code: 127, stdout: '', stderr: error.message, timedOut: false }));
    socket.on('close', () => finish({ code: 127, stdout: '', stderr: 'the console was closed', timedOut: false }));
    socket.on('data', (chunk: string) => {
      text = (text + chunk.replaceAll('\r', '')).slice(-2_000_000);
      // The mark is written in two halves in the command, so that an echo of it is no answer.
      const begin = text.indexOf(`<${mark}>\n`);
      const end = new RegExp(`</${mark} (\\d+)>\n`).exec(text);
      if (begin < 0 || end === null) return;
      const stdout = text.slice(begin + mark.length + 3, end.index);
      finish({ code: Number(end[1]), stdout, stderr: '', timedOut: false });
    });
    socket.on('connect', () => socket.write(`\necho "<""${mark}>"; sh -c ${quote(command)} 2>&1 </dev/null; echo "</""${mark} $?>"\n`));
  });
}

/** Joins this terminal with the console, or runs one command there; Ctrl-] leaves. */
export async function talk(path: string, command: string[]): Promise<number> {
  if (command.length > 0) {
    const done = await ask(path, command.map(quote).join(' '), 3_600_000);
    process.stdout.write(done.stdout);
    process.stderr.write(done.stderr);
    return done.code;
  }
  process.stdout.write('The console of the virtual machine; Ctrl-] leaves it.\n');
  const socket = connect(path);
  return new Promise((resolve) => {
    const leave = (): void => {
      if (process.stdin.isTTY) process.stdin.setRawMode(false);
      process.stdin.pause();
      socket.destroy();
      resolve(0);
    };
    if (process.stdin.isTTY) process.stdin.setRawMode(true);
    socket.on('connect', () => socket.write('\n'));
    socket.on('data', (bytes) => process.stdout.write(bytes));
    socket.on('error', leave);
    socket.on('close', leave);
    process.stdin.on('data', (bytes: Buffer) => (bytes.includes(0x1d) ? leave() : socket.write(bytes)));
    process.stdin.on('end', leave);
  });
}

function quote(word: string): string {
  return `'${word.replaceAll("'", "'\\''")}'`;
}
