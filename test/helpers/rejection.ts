/** The error that a promise rejects with; throws when it does not reject. */
export async function rejection(promise: Promise<unknown>): Promise<Error & { code?: string; where?: string }> {
  try {
    await promise;
  } catch (error) {
    return error as Error;
  }
  throw new Error("expected a rejection, but the promise was fulfilled");
}
