// Bundle messages as text, as the reference prints them.
import type { BodyPrinters } from './print-context.ts';

const TYPES = [
  'OPEN_REQUEST',
  'OPEN_REPLY',
  'CLOSE_REQUEST',
  'CLOSE_REPLY',
  'COMMIT_REQUEST',
  'COMMIT_REPLY',
  'DISCARD_REQUEST',
  'DISCARD_REPLY',
] as const;

const idText = (id: number): string => (id === 0 ? '0' : `0x${id.toString(16)}`);

function flagsText(flags: number): string {
  if (flags === 0) return '0';
  const words = ['atomic', 'ordered'].filter((_, bit) => (flags & (1 << bit)) !== 0);
  const unknown = flags & ~3;
  if (unknown !== 0) words.push(`0x${unknown.toString(16)}`);
  return words.join(' ');
}

/** Bodies of these messages. */
export const BUNDLE_BODIES: BodyPrinters = {
  bundleControl: ({ bundleId, type, flags }) => `\n bundle_id=${idText(bundleId)} type=${TYPES[type] ?? ''} flags=${flagsText(flags)}\n`,
  bundleAdd: (message, { inner }) => `\n bundle_id=${idText(message.bundleId)} flags=${flagsText(message.flags)}\n${inner(message.inner)}`,
};
