/** Which module files the initrd needs, in the order in which they can be loaded. */
import { UnavailableError } from '../core/errors.js';

/**
 * @param names modules; one ending in `?` may be missing
 * @param dependencies text of modules.dep
 * @param builtin text of modules.builtin
 * @returns paths as in modules.dep, each after all that it needs
 * @throws UnavailableError naming a module that is nowhere
 */
export function loadOrder(names: readonly string[], dependencies: string, builtin: string): string[] {
  const files = new Map<string, string>();
  const needs = new Map<string, string[]>();
  for (const line of dependencies.split('\n')) {
    const [file = '', rest = ''] = line.split(':');
    if (file === '') continue;
    files.set(moduleName(file), file);
    needs.set(
      file,
      rest.split(' ').filter((word) => word !== ''),
    );
  }
  const inside = new Set(builtin.split('\n').map(moduleName));
  const order: string[] = [];
  const add = (file: string) => {
    if (order.includes(file)) return;
    for (const needed of needs.get(file) ?? []) add(needed);
    if (!order.includes(file)) order.push(file);
  };
  for (const name of names) {
    const wanted = moduleName(name.replace(/\?$/, ''));
    const file = files.get(wanted);
    if (file !== undefined) add(file);
    else if (!inside.has(wanted) && !name.endsWith('?'))
      throw new UnavailableError(`the kernel has no module ${wanted}, which guests need`);
  }
  return order;
}

/** `kernel/fs/ext4/ext4.ko.xz` is `ext4`; the kernel takes - and _ for one. */
function moduleName(file: string): string {
  return (file.split('/').pop() ?? '').replace(/\.ko(\.\w+)?$/, '').replaceAll('-', '_');
}
