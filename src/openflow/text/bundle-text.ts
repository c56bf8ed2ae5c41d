// Bundle messages as text, as the reference prints them.
import type { Message } from '../message.ts';

type Of<K extends Message['kind']> = Extract<Message, { kind: K }>;

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

/** The body of OFPT_BUNDLE_CONTROL, from the end of the header line on. */
export function formatBundleControl(message: Of<'bundleControl'>): string {
  return `\n bundle_id=${idText(message.bundleId)} type=${TYPES[message.type] ?? ''} flags=${flagsText(message.flags)}\n`;
}

/** The body of OFPT_BUNDLE_ADD_MESSAGE up to where the text of the message in it stands. */
export function formatBundleAdd(message: Of<'bundleAdd'>): string {
  return `\n bundle_id=${idText(message.bundleId)} flags=${flagsText(message.flags)}\n`;
}
