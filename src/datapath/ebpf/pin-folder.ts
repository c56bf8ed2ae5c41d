// Reading what lies in an instance's folder (see `pin-store.ts`), without changing it.
import { readdirSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';
import type { Attachment, Hook } from '../../bpf/attachment.ts';
import type { DpPort } from '../datapath.ts';

/** The maps that are read of a former generation, besides those of its masks. */
export const FORMER_MAPS = ['ports', 'tx', 'totals', 'base', 'records'] as const;

/** A mask as the text of a link: WORD:MASK in hexadecimal, with commas. */
export const maskText = (words: readonly number[], masks: readonly number[]): string =>
  words.map((word, i) => `${word.toString(16)}:${(masks[i]! >>> 0).toString(16)}`).join(',');

/** Reads it; undefined when it is none. */
export function parseMaskText(text: string): { words: number[]; masks: number[] } | undefined {
  if (!/^[0-9a-f]{1,3}:[0-9a-f]{1,8}(,[0-9a-f]{1,3}:[0-9a-f]{1,8})*$/.test(text)) return undefined;
  const pairs = text.split(',').map((pair) => pair.split(':').map((digits) => Number.parseInt(digits, 16)));
  return { words: pairs.map((pair) => pair[0]!), masks: pairs.map((pair) => pair[1]!) };
}

/** A generation that a predecessor left. Whoever opens its maps closes them. */
export interface FormerGeneration {
  dir: string;
  open(name: string): number | undefined;
  masks(): { fd: number; words: number[]; masks: number[] }[];
}

/** The places at devices that predecessors' programs have. */
export interface FormerPlaces {
  /** The number that a predecessor gave to a device. */
  formerPort(ifindex: number): DpPort | undefined;
  isFormerPort(port: DpPort): boolean;
  /** The program's place that a predecessor left at a device, if it is still there. */
  openAttachment(ifindex: number, hook: Hook): Attachment | undefined;
  /** Removes the programs at other places than these from their devices. */
  keepAttachments(kept: readonly { ifindex: number; hook: Hook }[]): void;
  /** Nothing of this instance stays. */
  remove(): void;
}

const isGeneration = (name: string): boolean => /^gen-\d+-/.test(name);
/** The text of a symbolic link; '' where there is none. */
export const textOf = (path: string): string => {
  try {
    return readlinkSync(path);
  } catch {
    return '';
  }
};
/** The names in a folder; none where there is none. */
export const entries = (dir: string): string[] => {
  try {
    return readdirSync(dir);
  } catch {
    return [];
  }
};

/** The generations in a folder, the last one last. */
export const generations = (dir: string): string[] =>
  entries(dir)
    .filter(isGeneration)
    .sort((a, b) => Number(a.split('-')[1]) - Number(b.split('-')[1]))
    .map((name) => join(dir, name));

/** A program's place at a device, as it was noted. `port`: 0 where the device is no port. */
export interface NotedPlace {
  ifindex: number;
  hook: Hook;
  port: number;
  link: number;
}

const PLACE = /^place-([1-9]\d{0,9})-(ingress|egress|underlay)$/;
export const placeName = (ifindex: number, hook: Hook): string => `place-${ifindex}-${hook}`;
export const placeText = (port: number, link: number): string => `${port} ${link}`;

/** What these generations note of places; what a later one says of one holds. */
export function placesOf(dirs: readonly string[]): NotedPlace[] {
  const places = new Map<string, NotedPlace>();
  for (const dir of dirs) {
    for (const name of entries(dir)) {
      const [, ifindex, hook] = PLACE.exec(name) ?? [];
      const [, port, link] = /^(\d{1,5}) (\d{1,10})$/.exec(hook === undefined ? '' : textOf(join(dir, name))) ?? [];
      if (port !== undefined) places.set(name, { ifindex: Number(ifindex), hook: hook as Hook, port: Number(port), link: Number(link) });
    }
  }
  return [...places.values()];
}

/** The port numbers of devices. */
export const portsOf = (places: readonly NotedPlace[]): Map<number, DpPort> =>
  new Map(places.filter(({ port }) => port > 0).map(({ ifindex, port }) => [ifindex, port as DpPort]));
