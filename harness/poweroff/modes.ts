/** The ways in which a guest loses its power, and what they are called in reports. */

/**
 * `kept`: QEMU is killed, and the disk keeps all that it was sent. `volatile`: the disk keeps what it was told to flush, and of
 * the rest a subset drawn from the seed; a fresh guest recovers. `log`: one run's block log, cut at many places.
 */
export const powerOffModes = ['kept', 'volatile', 'log'] as const;
export type PowerOffMode = (typeof powerOffModes)[number];

/** Where crash states of a log are mounted: by the guest's kernel, or by this machine's own. */
export const recoverPlaces = ['guest', 'host'] as const;
export type RecoverPlace = (typeof recoverPlaces)[number];

export interface Setting {
  /** As of --fs. */
  fs: string;
  /** As of --kernel. */
  kernel: string;
  mode: PowerOffMode;
}

/** What an event's `fs` says of a trial in a guest. */
export function settingLabel({ fs, kernel, mode }: Setting): string {
  return `${fs} on ${kernel}, ${mode}`;
}
