/**
 * Lets every slot work until it is done. Once one has failed, `failed()` tells the others to begin nothing new; its
 * error is thrown when all have ended, so that nobody still works with what the caller then closes.
 */
export async function inParallel<T>(
  slots: readonly T[],
  work: (slot: T, number: number, failed: () => boolean) => Promise<void>,
): Promise<void> {
  const errors: unknown[] = [];
  await Promise.all(
    slots.map(async (slot, number) => {
      try {
        await work(slot, number, () => errors.length > 0);
      } catch (error) {
        errors.push(error);
      }
    }),
  );
  if (errors.length > 0) throw errors[0];
}
