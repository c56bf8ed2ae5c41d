/** An error that is a bare string to the client. */
export class PlainFault extends Error {}
