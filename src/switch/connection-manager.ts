// The OpenFlow connections of a bridge.
import { noControl, type OpenControl } from './core.ts';

/** Opens the OpenFlow side of a bridge. */
export const openControl: OpenControl = noControl;
