// `ofproto/trace`: what translation does with a flow, as text.
import type { Core } from './bridge-core.ts';
import type { TraceNode } from './translation.ts';

/** Prints the nodes of a walk, indented where more follows. */
export function formatNodes(nodes: readonly TraceNode[], level: number, out: string[]): void {
  for (const [i, node] of nodes.entries()) {
    const isLine = node.kind !== 'bridge' && node.kind !== 'table';
    const more = isLine || i < nodes.length - 1 ? 1 : 0;
    const indent = '    '.repeat(level + more);
    switch (node.kind) {
      case 'bridge':
        out.push('', indent + node.text, indent + '-'.repeat(node.text.length));
        break;
      case 'detail':
        out.push(`${indent} -> ${node.text}`);
        break;
      case 'warn':
        out.push(`${indent} >> ${node.text}`);
        break;
      case 'error':
        out.push(`${indent} >>>> ${node.text} <<<<`);
        break;
      default:
        out.push(indent + node.text);
    }
    formatNodes(node.subs, level + more + more, out);
  }
}

export function traceFlow(_core: Core, _flowText: string, _frame: Uint8Array | undefined): string {
  return '';
}
