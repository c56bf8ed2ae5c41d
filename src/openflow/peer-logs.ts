// What is logged of a peer's messages: it could fill the log with them, so of each kind a few are written at once and then one a minute. Which
// kinds share a number, and how many there are, is as in Open vSwitch.
import { logger } from '../base/log.ts';
import { LogLimit, limitedLogger } from '../base/log-limit.ts';

export const actionsLog = limitedLogger('ofp_actions');
/** Actions where they may not be: Open vSwitch tells of each. */
export const placesLog = logger('ofp_actions');
/** What an action `bundle` says, and the members that it names. */
export const bundleActionLog = limitedLogger('ofp_actions');
export const bundleMemberLog = limitedLogger('bundle');
/** Messages that may not be in a bundle, and those that cannot be read. */
export const bundledLog = limitedLogger('ofp_bundle');
export const unreadableLog = limitedLogger('ofp_bundle');
export const asyncValueLog = limitedLogger('ofp_connection');
export const errorsLog = limitedLogger('ofp_errors');
export const flowLog = limitedLogger('ofp_flow');
export const groupLog = limitedLogger('ofp_group');
export const matchLog = limitedLogger('ofp_match');
export const meterLog = limitedLogger('ofp_meter');
export const monitorLog = limitedLogger('ofp_monitor');
/** Lengths of messages, vendors that are not known, and types. */
export const lengthLog = limitedLogger('ofp_msgs');
export const vendorLog = limitedLogger('ofp_msgs', new LogLimit(1, 1));
export const typeLog = limitedLogger('ofp_msgs', new LogLimit(1, 1));
export const oxmLog = limitedLogger('nx_match', new LogLimit(1, 2));
export const packetLog = limitedLogger('ofp_packet');
export const portLog = limitedLogger('ofp_port');
export const protocolLog = limitedLogger('ofp_protocol');
export const queueLog = limitedLogger('ofp_queue');
export const subfieldLog = limitedLogger('meta_flow');
export const tableLog = limitedLogger('ofp_table');
export const statisticsLog = limitedLogger('ox_stat');
export const versionLog = limitedLogger('ofp_util');

/** Properties of any kind that are not known share one limit. */
const properties = new LogLimit(1, 5);
export const propertyLogs = {
  actions: limitedLogger('ofp_actions', properties),
  async: limitedLogger('ofp_connection', properties),
  group: limitedLogger('ofp_group', properties),
  packet: limitedLogger('ofp_packet', properties),
  port: limitedLogger('ofp_port', properties),
  table: limitedLogger('ofp_table', properties),
} as const;
