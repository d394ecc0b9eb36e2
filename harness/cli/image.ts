/** `plugpull image`: builds, lists and removes the images that virtual machines boot. */
import { Command } from 'commander';
import { exitCodes } from '../core/exit-codes.js';
import { PlugpullError } from '../core/errors.js';
import { buildImage, listImages, removeImage, type ListedImage } from '../images/image.js';
import { kernelNames } from '../images/recipe.js';

export function imageCommand(): Command {
  const image = new Command('image').description(
    'build, list and remove the images that virtual machines boot',
  );
  for (const command of [buildCommand(), lsCommand(), rmCommand()]) {
    image.addCommand(command.exitOverride().showSuggestionAfterError());
  }
  return image;
}

const defaultKernel = '6.1';

function buildCommand(): Command {
  return new Command('build')
    .description(
      'build the image of each kernel that is not there yet, from Debian packages; nothing is installed',
    )
    .argument('[kernels...]', `${kernelNames().join(', ')}, or Debian packages: linux-image-…`, [
      defaultKernel,
    ])
    .option('--json', 'print JSON')
    .action(async (kernels: string[], flags: { json?: boolean }) => {
      const stop = new AbortController();
      const interrupted = new PlugpullError(
        'interrupted; what was built so far is removed',
        exitCodes.interrupted,
      );
      for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
        process.once(signal, () => stop.abort(interrupted));
      }
      const built: Row[] = [];
      for (const kernel of kernels) {
        const { id, folder, release, manifest } = await buildImage(kernel, progress, stop.signal);
        built.push({
          id,
          folder,
          kernel,
          release,
          package: `${manifest.kernel.package} ${manifest.kernel.version}`,
        });
        if (flags.json !== true) process.stdout.write(`${id}  ${release}  ${folder}\n`);
      }
      if (flags.json === true) printJson('plugpull.image-build/1', built);
    });
}

type Row = Record<string, string>;

function progress(text: string): void {
  process.stderr.write(`image: ${text}\n`);
}

function lsCommand(): Command {
  return new Command('ls')
    .description('list the images that are there')
    .option('--json', 'print JSON')
    .action(async (flags: { json?: boolean }) => {
      const images = await listImages();
      if (flags.json === true) printJson('plugpull.images/1', images);
      else if (images.length === 0)
        process.stderr.write('there are no images; build one: plugpull image build\n');
      else process.stdout.write(table(images));
    });
}

function rmCommand(): Command {
  return new Command('rm')
    .description('remove images that nobody uses, whole or broken')
    .argument('<ids...>', 'ids, as `plugpull image ls` shows them')
    .action(async (ids: string[]) => {
      for (const id of ids) {
        await removeImage(id);
        process.stdout.write(`removed ${id}\n`);
      }
    });
}

function printJson(schema: string, images: unknown): void {
  process.stdout.write(`${JSON.stringify({ schema, images }, null, 2)}\n`);
}

/** The columns that a list of images has. */
function table(images: readonly ListedImage[]): string {
  const rows = [
    ['ID', 'KERNEL', 'SIZE', 'BUILT', 'STATE'],
    ...images.map((image) => [
      image.id,
      image.release ?? '?',
      `${Math.ceil(image.bytes / 1024 ** 2)} MiB`,
      image.built?.slice(0, 16).replace('T', ' ') ?? '?',
      state(image),
    ]),
  ];
  const widths = rows[0]?.map((_, i) => Math.max(...rows.map((row) => row[i]?.length ?? 0))) ?? [];
  return rows
    .map(
      (row) =>
        `${row
          .map((cell, i) => cell.padEnd(widths[i] ?? 0))
          .join('  ')
          .trimEnd()}\n`,
    )
    .join('');
}

function state({ broken, usedBy, outdated }: ListedImage): string {
  if (broken !== null) return `broken: ${broken.replaceAll('\n', ' ')}`;
  if (usedBy.length > 0) return `in use by ${usedBy.join(', ')}`;
  return outdated ? 'not in use; of an older recipe' : 'not in use';
}
