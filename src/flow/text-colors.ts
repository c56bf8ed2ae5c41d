// Colours of flows' text: ovs-ofctl(8), --color and OVS_COLORS. They are a setting of the process: a tool sets them, no daemon does.

/** What is coloured: `actions=`, `drop`, `learn(`, names with values, names with brackets, special words, lone words. */
export type Color = 'ac' | 'dr' | 'le' | 'pm' | 'pr' | 'sp' | 'vl';

/** Select Graphic Rendition of each (ECMA-48). */
const DEFAULTS: Readonly<Record<Color, string>> = { ac: '1;31', dr: '34', le: '31', pm: '36', pr: '35', sp: '33', vl: '32' };

let codes: ReadonlyMap<string, string> | undefined;

/**
 * Colours from now on, with the defaults and what `spec` (OVS_COLORS) says otherwise: `name=SGR` between colons, what is malformed left out.
 * Without `spec` nothing is coloured.
 */
export function setColors(spec: string | undefined): void {
  codes = undefined;
  if (spec === undefined) return;
  const chosen = new Map<string, string>(Object.entries(DEFAULTS));
  for (const part of spec.split(':')) {
    const [, name = '', sgr = ''] = /^([a-z]+)=([\d;]*)$/.exec(part) ?? [];
    if (chosen.has(name)) chosen.set(name, sgr);
    // A name alone has no colour at all, which the C library prints so.
    else if (chosen.has(part)) chosen.set(part, '(null)');
  }
  codes = chosen;
}

/** Text in a colour, where there are colours. */
export const paint = (color: Color, text: string): string =>
  codes === undefined ? text : `\x1b[${codes.get(color) ?? ''}m\x1b[K${text}\x1b[m\x1b[K`;

export const hasColors = (): boolean => codes !== undefined;

/** Names that are not coloured. */
const COLORLESS = /^(eth$|packet_type=|tun_gbp_flags|tun_erspan_|gtpu_|tun_metadata)/;

/** What a match says of one field, its name in its colour, or the name alone. */
export function paintMatchPart(part: string): string {
  if (COLORLESS.test(part)) return part;
  const end = part.indexOf('=') + 1;
  if (end === 0) return paint('vl', part);
  const name = part.slice(0, end);
  // Of this one the sign is not.
  if (name === 'conj_id=') return paint('pm', 'conj_id') + part.slice('conj_id'.length);
  return paint(name === 'priority=' ? 'sp' : 'pm', name) + part.slice(end);
}
