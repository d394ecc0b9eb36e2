/** Settings of guests: file system, kernel, and what the disk loses. */

/** The parts of what such an event says of its place: `ext4 on 6.1, volatile`. Null for others. */
export function settingOf({ rig, fs }: { rig: string; fs?: string }): { where: string; mode: string } | null {
  if (rig !== 'vm' || fs === undefined) return null;
  const comma = fs.lastIndexOf(', ');
  return comma < 0 ? { where: fs, mode: '' } : { where: fs.slice(0, comma), mode: fs.slice(comma + 2) };
}
