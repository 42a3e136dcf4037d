import { ArbError } from "../errors.js";

/**
 * Loads a part of the local world (src/sim), the one place where the program reaches for it: it needs Hardhat, which an
 * installation without development packages does not have.
 */
export async function loadLocalWorld<T>(part: "demo" | "replay"): Promise<T> {
  try {
    return (await import(new URL(`../sim/${part}.js`, import.meta.url).href)) as T;
  } catch (error) {
    const missing = (error as { code?: string }).code === "ERR_MODULE_NOT_FOUND";
    if (!missing) throw error;
    throw new ArbError("usage", "the local world needs the development packages", {
      hint: "run `npm ci` in a clone",
      cause: error,
    });
  }
}
