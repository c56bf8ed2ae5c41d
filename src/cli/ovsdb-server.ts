// ovsdb-server: the daemon behind its command line.
export { main } from '../daemon/ovsdb-server/main.ts';
