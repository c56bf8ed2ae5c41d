// The version that scripts compare with: Open vSwitch's, whose behaviour we match.

export const OPEN_VSWITCH_VERSION = '3.1.0';
export const DATABASE_SCHEMA_VERSION = '8.3.1';

/** First line of `--version` and the answer to `ovs-appctl version`. */
export function versionText(program: string): string {
  return `${program} (Open vSwitch) ${OPEN_VSWITCH_VERSION}`;
}
