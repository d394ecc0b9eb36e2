/** Every command in the documentation runs, with less time and fewer trials than it names. */
import { expect } from 'chai';
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, symlinkSync } from 'node:fs';
import path from 'node:path';
import { root, temporaryFolder } from '../support/cli.js';

const pages = [
  'README.md',
  ...readdirSync(path.join(root, 'docs')).map((name) => path.join('docs', name)),
].filter((name) => name.endsWith('.md'));

/** Commands that other parts of the checks run, or that need what a test cannot have. */
const elsewhere: [RegExp, string][] = [
  [/^npm /, 'the whole project by itself'],
  [/\/mnt\//, 'a mounted file system'],
  [/^plugpull certify$/, 'model.test.ts, where it takes a minute'],
];

/** Exit statuses that are right: a violation only where the page shows one. */
function allowed(command: string): number[] {
  if (/wrong\.sh|mistakes\.sh (?!none)/.test(command)) return [1];
  // Whether its bug shows in three seconds of emulated guests is a matter of luck.
  if (command.includes('unflushed.sh')) return [0, 1, 2];
  // So little time may not be enough to catch a control, or to try all that was named.
  if (/plugpull (run|certify|merge)\b/.test(command)) return [0, 2];
  return [0];
}

function blocks(page: string): string[][] {
  const text = readFileSync(path.join(root, page), 'utf8');
  return [...text.matchAll(/^```sh\n([\s\S]*?)^```/gm)].map(([, block = '']) =>
    block
      .replaceAll('\\\n', ' ')
      .split('\n')
      .map((line) => line.replace(/\s+#.*$/, '').trim())
      .filter((line) => line !== '' && !line.startsWith('#')),
  );
}

function shorter(command: string): string {
  const atMost = (flag: string, most: number) => (text: string) =>
    text.replace(new RegExp(`(${flag}) (\\d+)`), (_, name: string, value: string) => {
      return `${name} ${Math.min(Number(value), most)}`;
    });
  // Guests are slow, each file system has its own, and the tests of guests have all of them.
  const guests = command.includes('poweroff');
  const bounds = [atMost('--trials', guests ? 3 : 24), atMost('--states', 8), atMost('--commits', 20)];
  // A finding on a recorded disk takes longer than a kill.
  const time = command.includes('mistakes.sh') ? '12s' : '3s';
  const brief = bounds.reduce((text, bound) => bound(text), command.replace(/--for \S+/, `--for ${time}`));
  if (!guests) return brief;
  // Logs are cut where a command names them.
  const modes = brief.includes('--power-off-mode') ? '' : ' --power-off-mode kept,volatile';
  return brief.replace(/(--fs \w+)[\w,]*/, '$1') + modes;
}

describe('the documentation', () => {
  for (const page of pages) {
    const found = blocks(page);
    if (found.length === 0) continue;
    it(`has commands in ${page} that run`, function () {
      this.timeout(120_000 * found.length);
      const { folder, remove } = temporaryFolder();
      try {
        for (const name of ['bin', 'build', 'examples', 'docs', 'dist', 'package.json']) {
          symlinkSync(path.join(root, name), path.join(folder, name));
        }
        for (const command of found.flat()) {
          if (elsewhere.some(([pattern]) => pattern.test(command))) continue;
          // What needs root is run by who is root, and by nobody else.
          if (command.startsWith('sudo ') && process.getuid?.() !== 0) continue;
          const { status, stderr } = spawnSync('/bin/sh', ['-c', shorter(command.replace(/^sudo /, ''))], {
            cwd: folder,
            env: {
              ...process.env,
              PATH: `${path.join(root, 'bin')}:${process.env.PATH ?? ''}`,
              GITHUB_ACTIONS: '',
            },
            encoding: 'utf8',
            timeout: 120_000,
          });
          expect(status, `${command}\n${stderr}`).to.be.oneOf(allowed(command));
        }
      } finally {
        remove();
      }
    });
  }

  it('links only to what is there', () => {
    for (const page of pages) {
      const text = readFileSync(path.join(root, page), 'utf8');
      for (const [, link = ''] of text.matchAll(/\]\((?!https?:|#)([^)#]+)[^)]*\)/g)) {
        expect(existsSync(path.join(root, path.dirname(page), link)), `${page} links to ${link}`).to.equal(
          true,
        );
      }
    }
  });

  it('names every flag of `plugpull run`', () => {
    const help = spawnSync(process.execPath, [path.join(root, 'bin', 'plugpull'), 'run', '--help'], {
      encoding: 'utf8',
    });
    const text = pages.map((page) => readFileSync(path.join(root, page), 'utf8')).join('\n');
    const flags = [...help.stdout.matchAll(/^ {2}(?:-\w, )?(--[a-z-]+)/gm)].map(([, flag = '']) => flag);
    expect(flags.length).to.be.greaterThan(20);
    expect(flags.filter((flag) => flag !== '--help' && !text.includes(flag))).to.deep.equal([]);
  });
});
