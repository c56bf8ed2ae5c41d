// A program as text, one line an instruction, for comparison and for people: `  12  r1 = *(u32 *)(r10 -8)`. Maps stand by name.
import { ALU, JUMP, type Program } from './instructions.ts';

const nameOf = (table: Record<string, number>, code: number): string => Object.keys(table).find((name) => table[name] === code) ?? '?';
const WIDTHS: Record<number, string> = { 0: 'u32', 8: 'u16', 16: 'u8', 24: 'u64' };
const SIGNS: Record<string, string> = {
  add: '+=',
  sub: '-=',
  mul: '*=',
  div: '/=',
  or: '|=',
  and: '&=',
  lsh: '<<=',
  rsh: '>>=',
  mod: '%=',
  xor: '^=',
  mov: '=',
  arsh: 's>>=',
  neg: '= -',
};
const COMPARISONS: Record<string, string> = {
  eq: '==',
  gt: '>',
  ge: '>=',
  set: '&',
  ne: '!=',
  sgt: 's>',
  sge: 's>=',
  lt: '<',
  le: '<=',
  slt: 's<',
  sle: 's<=',
};

const offsetText = (offset: number): string => (offset < 0 ? ` ${offset}` : ` +${offset}`);

/** The text; lines end in a line feed. */
export function programText(program: Program): string {
  const view = new DataView(program.bytes.buffer, program.bytes.byteOffset, program.bytes.length);
  const maps = new Map(program.relocations.map(({ index, map }) => [index, map]));
  let text = '';
  for (let i = 0; i < program.length; i++) {
    const opcode = view.getUint8(i * 8);
    const dst = `r${view.getUint8(i * 8 + 1) & 15}`;
    const source = view.getUint8(i * 8 + 1) >> 4;
    const src = `r${source}`;
    const offset = view.getInt16(i * 8 + 2, true);
    const imm = view.getInt32(i * 8 + 4, true);
    const line = (what: string): void => {
      text += `${String(i).padStart(5)}  ${what}\n`;
    };
    const cls = opcode & 7;
    const width = WIDTHS[opcode & 0x18] ?? '?';
    if (opcode === 0x18) {
      const map = maps.get(i);
      const next = view.getInt32(i * 8 + 12, true);
      line(
        map === undefined
          ? `${dst} = ${imm >>> 0} + (${next >>> 0} << 32)`
          : source === 2
            ? `${dst} = &${map}[${next}]`
            : `${dst} = map ${map}`,
      );
      i++;
    } else if (opcode === 0x95) line('exit');
    else if (opcode === 0x85) line(`call ${imm}`);
    else if (opcode === 0x05) line(`goto ${i + 1 + offset}`);
    else if (opcode === 0xdc) line(`${dst} = be${imm} ${dst}`);
    else if (cls === 7 || cls === 4) {
      const right = (opcode & 8) !== 0 ? src : String(imm);
      line(`${dst} ${SIGNS[nameOf(ALU, opcode & 0xf0)] ?? '?'} ${right}${cls === 4 ? ' (32)' : ''}`);
    } else if (cls === 5 || cls === 6) {
      const right = (opcode & 8) !== 0 ? src : String(imm);
      const comparison = COMPARISONS[nameOf(JUMP, opcode & 0xf0)] ?? '?';
      line(`if ${dst} ${comparison} ${right}${cls === 6 ? ' (32)' : ''} goto ${i + 1 + offset}`);
    } else if (cls === 1) line(`${dst} = *(${width} *)(${src}${offsetText(offset)})`);
    else if ((opcode & 0xe0) === 0xc0 && imm === 0xf1) line(`lock *(${width} *)(${dst}${offsetText(offset)}) r0 ? ${src}`);
    else if ((opcode & 0xe0) === 0xc0) line(`lock *(${width} *)(${dst}${offsetText(offset)}) += ${src}`);
    else if (cls === 3 || cls === 2) line(`*(${width} *)(${dst}${offsetText(offset)}) = ${cls === 3 ? src : imm}`);
    else line(`unknown 0x${opcode.toString(16)}`);
  }
  return text;
}
