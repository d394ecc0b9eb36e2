/** Names a process that not even SIGKILL ends soon, since it waits in the kernel: nobody may wait for it without bound. */
export function leftBehind(what: string, pid: number | undefined): void {
  process.stderr.write(`plugpull: ${what} (process ${pid ?? '?'}) does not end; it is left behind\n`);
}

/** Waits for something, but not for longer. False: it has not come. */
export async function within(millis: number, end: Promise<unknown>): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<false>((resolve) => {
    timer = setTimeout(() => resolve(false), millis);
  });
  const came = await Promise.race([
    end.then(
      () => true,
      () => true,
    ),
    late,
  ]);
  clearTimeout(timer);
  return came;
}
