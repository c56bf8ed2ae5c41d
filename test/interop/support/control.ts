// Control commands given to a daemon over its socket by this process: quicker than a program for each.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import type { Host } from './world.ts';

interface Reply {
  result: unknown;
  error: unknown;
}

/** Words of a command line: blanks part them, unless they stand in quotes. */
export const wordsOf = (line: string): string[] =>
  [...line.matchAll(/(?:'[^']*'|"[^"]*"|[^\s'"])+/g)].map(([word]) => word.replace(/'([^']*)'|"([^"]*)"/g, '$1$2'));

/** A connection to a host's daemon. */
export class Control {
  readonly #socket: Socket;
  #text = '';
  #waiting: ((reply: Reply | undefined) => void) | undefined;
  #hasEnded = false;

  constructor(host: Pick<Host, 'dir'>, daemon = 'ovs-vswitchd') {
    const pid = readFileSync(join(host.dir, `${daemon}.pid`), 'utf8').trim();
    this.#socket = connect(join(host.dir, `${daemon}.${pid}.ctl`));
    this.#socket.setEncoding('utf8');
    this.#socket.on('data', (text: string) => {
      this.#text += text;
      // One request is on its way at a time, so all that came is one reply as soon as it parses.
      try {
        const reply = JSON.parse(this.#text) as Reply;
        this.#text = '';
        this.#waiting?.(reply);
      } catch (error) {
        if (!(error instanceof SyntaxError)) throw error;
      }
    });
    this.#socket.on('error', () => {});
    this.#socket.on('close', () => {
      this.#hasEnded = true;
      this.#waiting?.(undefined);
    });
  }

  /** The answer to a command and its words, or `error: ` and what went wrong; undefined when the daemon has ended. */
  async ask([method, ...params]: readonly string[]): Promise<string | undefined> {
    if (this.#hasEnded) return undefined;
    const reply = await new Promise<Reply | undefined>((resolve) => {
      this.#waiting = resolve;
      this.#socket.write(JSON.stringify({ id: 0, method, params }));
    });
    if (reply === undefined) return undefined;
    return reply.error === null ? String(reply.result) : `error: ${reply.error}`;
  }

  /** The same of a command line. */
  async run(line: string): Promise<string> {
    const answer = await this.ask(wordsOf(line));
    if (answer === undefined) throw new Error(`the daemon has ended at: ${line}`);
    return answer;
  }

  close(): void {
    this.#socket.destroy();
  }
}

/** Gives each line to both daemons and compares the answers. */
export async function compareControl(
  hosts: readonly [Host, Host],
  lines: readonly string[],
  normal: (text: string) => string = (text) => text,
): Promise<void> {
  const [reference, ours] = hosts.map((host) => new Control(host));
  assert.ok(reference !== undefined && ours !== undefined);
  try {
    for (const line of lines) {
      const wanted: string = await reference.run(line);
      const got: string = await ours.run(line);
      assert.deepEqual({ line, text: normal(got).split('\n') }, { line, text: normal(wanted).split('\n') });
    }
  } finally {
    reference.close();
    ours.close();
  }
}
