/** xfs, small: mounting must be quick, and recovery takes as long as the log is. */
import { asIs, ask, mib, type FileSystemKind, type Region } from './kind.js';

export const xfs: FileSystemKind = {
  type: 'xfs',
  bytes: 300 * mib,
  // `--unsupported` allows the small log.
  mkfs: ['mkfs.xfs', '--unsupported', '-q', '-K', '-f', '-d', 'agcount=2', '-l', 'size=10m'],
  sized: (bytes) => ({ before: ['-d', `size=${bytes}`] }),
  // Every state has the same UUID, and several are mounted at once.
  mount: ['nouuid'],
  repair: [['xfs_repair'], ['xfs_repair', '-L']],
  pkg: 'xfsprogs',
  clones: true,
  logged: /xfs/i,
  corruption: /XFS .*(corrupt|Corrupt|Internal error|log mount\/recovery failed)/,
  layout: async (image) => ({ regions: await xfsRegions(image), physical: asIs }),
};

async function xfsRegions(image: string): Promise<Region[]> {
  const text = await ask(
    'xfs_db',
    '-r',
    '-c',
    'sb 0',
    '-c',
    'p logstart logblocks blocksize agblocks agblklog',
    image,
  );
  const value = (name: string): number =>
    Number(new RegExp(`^${name} = (\\d+)`, 'm').exec(text)?.[1] ?? Number.NaN);
  const regions: Region[] = [{ name: 'superblock', offset: 0, length: 4096 }];
  // A block number of XFS is its allocation group's number, shifted, and its number in that.
  const start = value('logstart');
  const group = Math.floor(start / 2 ** value('agblklog'));
  const block = group * value('agblocks') + (start % 2 ** value('agblklog'));
  if (Number.isFinite(block)) {
    regions.push({
      name: 'log',
      offset: block * value('blocksize'),
      length: value('logblocks') * value('blocksize'),
    });
  }
  return regions;
}
