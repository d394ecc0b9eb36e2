/** What the kernel logged about file systems a moment ago. */
import { execa } from 'execa';

const lines = 40;

/** The last lines of the kernel's log that are at most so old; empty where it may not be read. */
export async function kernelLog(millis: number): Promise<string> {
  const read = await execa(
    'dmesg',
    ['--time-format', 'raw', '--since', `-${Math.ceil(millis / 1000) + 1}s`],
    {
      reject: false,
      timeout: 5000,
    },
  );
  const all =
    read.exitCode === 0 ? read.stdout : (await execa('dmesg', { reject: false, timeout: 5000 })).stdout;
  return all
    .split('\n')
    .filter((line) => /ext4|jbd2|xfs|btrfs|loop\d/i.test(line))
    .slice(-lines)
    .join('\n');
}
