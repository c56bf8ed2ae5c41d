// UUIDs in the files of `--record`: four words in the order of the machine's bytes, which is the lowest first.

const swapped = (bytes: Buffer): Buffer => bytes.swap32();

export function uuidBytes(uuid: string): Uint8Array {
  return swapped(Buffer.from(uuid.replaceAll('-', ''), 'hex'));
}

export function uuidOfBytes(bytes: Uint8Array): string {
  return swapped(Buffer.from(bytes))
    .toString('hex')
    .replace(/(.{8})(.{4})(.{4})(.{4})(.{12})/, '$1-$2-$3-$4-$5');
}
