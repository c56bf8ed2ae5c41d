// The DSCP of TCP sockets: how urgent their packets say they are.
import { setSocketInt } from '../ffi.ts';

const IPPROTO_IP = 0;
const IP_TOS = 1;
const IPPROTO_IPV6 = 41;
const IPV6_TCLASS = 67;

/** Sets it; connections that a listener accepts from now on have it too. */
export function setSocketDscp(fd: number, isIpv6: boolean, dscp: number): void {
  setSocketInt(fd, isIpv6 ? IPPROTO_IPV6 : IPPROTO_IP, isIpv6 ? IPV6_TCLASS : IP_TOS, dscp << 2);
}
