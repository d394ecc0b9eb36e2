/** What guests run, exactly: for reports, findings and their bundles. */

export interface GuestFacts {
  /** As of --kernel. */
  kernel: string;
  /** As of uname -r. */
  release: string;
  kernelPackage: string;
  /** Id of the image. */
  image: string;
  /** Version of QEMU. */
  qemu: string;
  accel: string;
  /** Versions of all Debian packages in the image, by name. */
  packages: Record<string, string>;
}

const tools = ['e2fsprogs', 'xfsprogs', 'btrfs-progs', 'f2fs-tools'];

/** One line. */
export function describeGuests({ release, kernelPackage, image, qemu, accel, packages }: GuestFacts): string {
  const versions = tools.map((name) => `${name} ${packages[name] ?? '?'}`).join(', ');
  return `Linux ${release} (${kernelPackage}), ${versions}; image ${image}; QEMU ${qemu}, ${accel}`;
}

/** All of it, for a file. */
export function listGuests(facts: GuestFacts): string {
  const packages = Object.entries(facts.packages).map(([name, version]) => `${name} ${version}`);
  return `${[describeGuests(facts), '', 'packages of the image:', ...packages].join('\n')}\n`;
}

/** How other guests differ from those in which something was found; null: they do not, as far as that is known. */
export function differenceOf(found: Partial<GuestFacts>, now: GuestFacts): string | null {
  const kernel = found.kernelPackage;
  const parts: string[] = [];
  if (found.release !== undefined && (found.release !== now.release || kernel !== now.kernelPackage)) {
    parts.push(
      `Linux ${found.release} (${kernel ?? '?'}), and this is ${now.release} (${now.kernelPackage})`,
    );
  }
  const changed = Object.entries(found.packages ?? {}).filter(
    ([name, version]) => now.packages[name] !== version,
  );
  if (changed.length > 0) {
    const [name = '', version = ''] = changed[0] ?? [];
    const more = changed.length === 1 ? '' : ` and ${changed.length - 1} more packages`;
    parts.push(`${name} ${version}${more}, and here it is ${now.packages[name] ?? 'not there'}`);
  }
  return parts.length === 0 ? null : `it was found with ${parts.join('; with ')}`;
}
