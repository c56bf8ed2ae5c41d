// A frame that a datapath flow's text describes, for `netdev-dummy/receive`.

/** The frame, or undefined when the text is no flow. */
export function frameOfFlow(_text: string, _length: number): Uint8Array | undefined {
  return undefined;
}
