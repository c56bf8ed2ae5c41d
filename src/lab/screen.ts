// What a person sees: steps, the commands as typed, ticks, and one line that moves while something is awaited.

const FRAMES = ['⠋', '⠙', '⠹', '⠸', '⠼', '⠴', '⠦', '⠧', '⠇', '⠏'];
/** Without a terminal, a line says every so often that the lab still waits. */
const PATIENCE_MS = 10_000;

export class Screen {
  readonly #out: NodeJS.WriteStream;
  readonly #live: boolean;
  readonly #colour: boolean;
  #timer: NodeJS.Timeout | undefined;
  #shown = false;

  constructor(out: NodeJS.WriteStream = process.stdout) {
    this.#out = out;
    this.#live = out.isTTY === true && process.env['TERM'] !== 'dumb';
    this.#colour = this.#live && process.env['NO_COLOR'] === undefined;
  }

  line(text = ''): void {
    this.#clear();
    this.#out.write(`${text}\n`);
  }

  step(number: number, title: string, why?: string): void {
    this.line();
    this.line(`${this.#paint('1', `${number}. ${title}`)}`);
    if (why !== undefined) for (const row of wrap(why, 100)) this.line(`   ${this.#paint('2', row)}`);
  }

  command(place: string, command: string): void {
    this.line(`   ${this.#paint('36', `${place}#`)} ${command}`);
  }

  /** What a command printed, at most so many rows of it. */
  output(text: string, rows = 16): void {
    const all = text.trimEnd().split('\n');
    if (all.length === 1 && all[0] === '') return;
    for (const row of all.slice(0, rows)) this.line(`      ${this.#paint('2', row)}`);
    if (all.length > rows) this.line(`      ${this.#paint('2', `... and ${all.length - rows} lines more`)}`);
  }

  tick(what: string): void {
    this.line(`   ${this.#paint('32', '✔')} ${what}`);
  }

  cross(what: string, reason: string): void {
    this.line(`   ${this.#paint('31', '✖')} ${what}`);
    for (const row of reason.trimEnd().split('\n')) this.line(`     ${this.#paint('31', row)}`);
  }

  /** Shows that something is awaited until the returned function is called. */
  waiting(what: string): () => void {
    const begin = Date.now();
    let turn = 0;
    let nextWord = PATIENCE_MS;
    const show = (): void => {
      const passed = Date.now() - begin;
      if (this.#live) {
        this.#clear();
        const text = `   ${FRAMES[turn++ % FRAMES.length]} ${what} (${Math.floor(passed / 1000)} s)`;
        this.#out.write(text.slice(0, Math.max(20, (this.#out.columns ?? 80) - 1)));
        this.#shown = true;
      } else if (passed >= nextWord) {
        nextWord += PATIENCE_MS;
        this.#out.write(`   … still waiting: ${what} (${Math.floor(passed / 1000)} s)\n`);
      }
    };
    clearInterval(this.#timer);
    this.#timer = setInterval(show, this.#live ? 100 : 1000);
    const timer = this.#timer;
    return () => {
      clearInterval(timer);
      this.#clear();
    };
  }

  #clear(): void {
    if (this.#shown) this.#out.write('\r\x1b[K');
    this.#shown = false;
  }

  #paint(code: string, text: string): string {
    return this.#colour ? `\x1b[${code}m${text}\x1b[0m` : text;
  }
}

/** Breaks text into rows at blanks. */
export function wrap(text: string, width: number): string[] {
  const rows: string[] = [];
  let row = '';
  for (const word of text.trim().split(/\s+/)) {
    if (row !== '' && row.length + 1 + word.length > width) {
      rows.push(row);
      row = word;
    } else row = row === '' ? word : `${row} ${word}`;
  }
  if (row !== '') rows.push(row);
  return rows;
}
