// Headers that go before a whole frame, put together from the actions that push them. Pure.
import type { DpAction } from '../../datapath.ts';
import { MAX_WRAP_SIZE } from './wrap-program.ts';

/**
 * The parameters of a `wrap` step: an Ethernet header, two bytes of nothing, and the other headers, the last that was pushed first; and how
 * many of the actions that is. Undefined where they do not end in an Ethernet header, or are more than there is room for.
 */
export function wrapHeaders(actions: readonly DpAction[]): { bytes: Uint8Array; count: number } | undefined {
  const headers: Uint8Array[] = [];
  let size = 0;
  let type = 0;
  for (const action of actions) {
    if (action.kind === 'pushNsh') {
      headers.unshift(action.header);
      size += action.header.length;
      type = 0x894f;
    } else if (action.kind === 'addMpls') {
      headers.unshift(Uint8Array.of(action.lse >>> 24, action.lse >>> 16, action.lse >>> 8, action.lse));
      size += 4;
      type = action.ethertype;
    } else if (action.kind === 'pushEth') {
      // The kernel would take the type for a tag, or the frame for one of IEEE 802.3.
      if (size > MAX_WRAP_SIZE || size % 4 !== 0 || type < 0x600 || type === 0x8100 || type === 0x88a8) return undefined;
      const bytes = new Uint8Array(16 + size);
      const view = new DataView(bytes.buffer);
      for (const [i, [first, last]] of [action.dst, action.src].entries()) {
        view.setUint32(i * 6, first);
        view.setUint16(i * 6 + 4, last);
      }
      view.setUint16(12, type);
      let at = 16;
      for (const header of headers) {
        bytes.set(header, at);
        at += header.length;
      }
      return { bytes, count: headers.length + 1 };
    } else {
      return undefined;
    }
  }
  return undefined;
}
