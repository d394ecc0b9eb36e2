/** f2fs, small: mounting must be quick, and recovery takes as long as the log is. */
import { mib, type FileSystemKind } from './kind.js';

export const f2fs: FileSystemKind = {
  type: 'f2fs',
  bytes: 128 * mib,
  mkfs: ['mkfs.f2fs', '-q', '-f'],
  sized: (bytes) => ({ after: [String(Math.floor(bytes / 512))] }),
  mount: ['nodiscard'],
  repair: [['fsck.f2fs', '-a']],
  pkg: 'f2fs-tools',
  guestsOnly: true,
  clones: false,
  logged: /f2fs/i,
  corruption: /F2FS-fs .*(corrupt|[Ii]nconsistent|invalid)/,
};
