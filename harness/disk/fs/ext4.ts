/** ext4, small: mounting must be quick, and recovery takes as long as the log is. */
import { asIs, ask, mib, type FileSystemKind, type Region } from './kind.js';

export const ext4: FileSystemKind = {
  type: 'ext4',
  bytes: 64 * mib,
  mkfs: ['mkfs.ext4', '-q', '-F', '-b', '4096', '-E', 'lazy_itable_init=0,lazy_journal_init=0,nodiscard'],
  sized: (bytes) => ({ after: [String(Math.floor(bytes / 4096))] }),
  // Background zeroing of inode tables would only be noise. The cache of extended attributes is made at each mount, and a
  // state lives too short to use it: without it 5 % more states a second.
  mount: ['noinit_itable', 'no_mbcache'],
  repair: [['e2fsck', '-f', '-y']],
  pkg: 'e2fsprogs',
  clones: false,
  // It reads and writes little at each mount: without another thread that does it, 1.6 times as many states a second.
  zram: true,
  logged: /ext4|jbd2/i,
  corruption: /EXT4-fs error|EXT4-fs .*(corrupt|checksum)|JBD2: .*(corrupt|checksum|Invalid)/,
  layout: async (image) => ({ regions: await ext4Regions(image), physical: asIs }),
};

async function ext4Regions(image: string): Promise<Region[]> {
  const block = 4096;
  const text = await ask('debugfs', '-R', 'ex <8>', image);
  const regions: Region[] = [{ name: 'superblock', offset: 0, length: block }];
  // Level Entries Logical Physical Length: `0/ 0   1/  1     0 -  1023   8193 -   9216   1024`
  for (const match of text.matchAll(/^\s*\d+\/\s*\d+\s+\d+\/\s*\d+\s+\d+\s*-\s*\d+\s+(\d+)\s*-\s*(\d+)/gm)) {
    const first = Number(match[1]);
    regions.push({ name: 'journal', offset: first * block, length: (Number(match[2]) - first + 1) * block });
  }
  return regions;
}
