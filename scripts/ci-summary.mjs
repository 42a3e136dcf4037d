// Closes a test run with one line for machines, from Hardhat's own last lines ("784 passing (3 solidity, 781 mocha)").
import { readFileSync } from "node:fs";

const colours = new RegExp(`${String.fromCodePoint(27)}\\[[0-9;]*m`, "g");
const text = readFileSync(process.argv[2], "utf8").replaceAll(colours, "");
const total = (word) => Number([...text.matchAll(new RegExp(`^(\\d+) ${word}\\b`, "gm"))].at(-1)?.[1] ?? 0);
const [passed, failed, skipped] = [total("passing"), total("failing"), total("pending")];
console.log(`${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ""}`);
process.exit(failed > 0 || passed === 0 ? 1 : 0);
