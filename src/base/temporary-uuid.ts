/** A version 4 UUID that need only differ from its neighbours, such as a new row's name within one transaction; no secret, and free of the cost of loading a crypto library. */
export function temporaryUuid(): string {
  const digits = (count: number): string =>
    Math.floor(Math.random() * 16 ** count)
      .toString(16)
      .padStart(count, '0');
  const variant = '89ab'[Math.floor(Math.random() * 4)];
  return `${digits(8)}-${digits(4)}-4${digits(3)}-${variant}${digits(3)}-${digits(12)}`;
}
