import { concat, toBeHex } from "ethers";

/** Code that answers every call with the first `size` bytes of these words, or reverts with them. */
export function answering(words: bigint[], size: number, reverts = false): string {
  const stores = words.map((word, i) => concat(["0x7f", toBeHex(word, 32), "0x60", toBeHex(32 * i, 1), "0x52"]));
  return concat([...stores, "0x61", toBeHex(size, 2), "0x5f", reverts ? "0xfd" : "0xf3"]);
}
