// A fault of the reference: of two monitors of the same columns one changes its condition, is told that rows are gone, and with the first update that
// follows is told all the same how they changed. This takes such rows out of what the reference's monitors were told, and nothing else.

const TOKEN = /"(?:[^"\\]|\\.)*"|[{}]/g;

/** The message without the members of a table that say how these rows changed; '' when nothing is left to tell. */
function withoutRows(message: string, uuids: ReadonlySet<string>): string {
  let text = message;
  for (const uuid of uuids) {
    const start = text.indexOf(`"${uuid}":{"modify":`);
    if (start < 0) continue;
    let depth = 0;
    let end = text.length;
    TOKEN.lastIndex = start + uuid.length + 3;
    for (let token = TOKEN.exec(text); token !== null; token = TOKEN.exec(text)) {
      if (token[0] === '{') depth++;
      else if (token[0] === '}' && --depth === 0) {
        end = TOKEN.lastIndex;
        break;
      }
    }
    const [before, after] = [text.slice(0, start), text.slice(end)];
    text = before.endsWith(',') ? before.slice(0, -1) + after : before + (after.startsWith(',') ? after.slice(1) : after);
    text = text.replace(/"\w+":\{\},|,?"\w+":\{\}/, '');
  }
  return text.includes(',{}]}') ? '' : text;
}

/** What one client's monitors were told is gone, by the text of a monitor's id. */
export class GoneRows {
  readonly #byMonitor = new Map<string, Set<string>>();

  /** A monitor goes on under another id. */
  rename(id: string, next: string): void {
    const gone = this.#byMonitor.get(id);
    this.#byMonitor.delete(id);
    if (gone !== undefined) this.#byMonitor.set(next, gone);
  }

  /**
   * The messages without what is told of rows that are gone. What the other side tells too is right: where inserts are not asked for, a row comes back
   * without a word.
   */
  filter(messages: readonly string[], others: readonly string[]): string[] {
    const agreed = new Set(others);
    return messages
      .map((message) => {
        const text = this.#filter(message);
        return agreed.has(message) ? message : text;
      })
      .filter((message) => message !== '');
  }

  #filter(message: string): string {
    const { method, params } = JSON.parse(message) as { method: string; params: unknown[] };
    if (method !== 'update2' && method !== 'update3') return message;
    const id = JSON.stringify(params[0]);
    const gone = this.#byMonitor.get(id) ?? new Set();
    this.#byMonitor.set(id, gone);
    const text = gone.size === 0 ? message : withoutRows(message, gone);
    for (const rows of Object.values(params.at(-1) as Record<string, Record<string, object>>)) {
      for (const [uuid, change] of Object.entries(rows)) {
        if ('delete' in change) gone.add(uuid);
        else if ('insert' in change || 'initial' in change) gone.delete(uuid);
      }
    }
    return text;
  }
}
