/** Fields that every part of the configuration's schema is made of. */
import { getAddress } from "ethers";
import { z } from "zod";
import { ArbError } from "../errors.js";
import { ETHER, GWEI, parseAmount, parseDuration, parsePercent, unitOf } from "../units.js";

/** Turns a parser of src/units.ts into a field: its refusal becomes the field's message. */
export function text<T>(parse: (s: string) => T, description: string): z.ZodPipe<z.ZodString, z.ZodTransform<T, string>> {
  return z
    .string()
    .describe(description)
    .transform((s, context) => {
      try {
        return parse(s);
      } catch (error) {
        if (!(error instanceof ArbError)) throw error;
        context.addIssue({
          code: "custom",
          message: error.hint === undefined ? error.message : `${error.message}; ${error.hint}`,
        });
        return z.NEVER;
      }
    });
}

export const percent = text(parsePercent, 'A percentage with its sign, for example "0.5 %"');
export const share = percent.refine((ppm) => ppm <= 1_000_000, "is more than 100 %");
export const duration = text(parseDuration, 'A duration with its unit: "200 ms", "30 s", "2 min"')
  .refine((ms) => ms > 0, "is zero")
  // Node's timers end at once where they are set to more than 24.8 days
  .refine((ms) => ms <= 86_400_000, "is longer than a day");
export const gwei = text((s) => parseAmount(s, GWEI), 'A gas price, for example "0.5 gwei"').refine((wei) => wei > 0n, "is zero");
export const ether = text((s) => parseAmount(s, ETHER), 'An amount of the native coin, for example "0.001 ETH"');

export const address = text((s) => {
  let right: string;
  try {
    right = getAddress(s.toLowerCase());
  } catch {
    throw new ArbError("usage", "is no address", { hint: "write 0x and 40 hexadecimal digits" });
  }
  // 0x4200000000000000000000000000000000000042 has no letter, and so no other form
  if (s === right) return right;
  if (s === s.toLowerCase()) throw new ArbError("usage", "has no checksum", { hint: `copy it in EIP-55 form, such as ${right}` });
  throw new ArbError("usage", "does not match its EIP-55 checksum", { hint: "a digit is wrong; copy it again" });
}, "An address in EIP-55 form");

/** An amount with its unit, which is read later by the decimals of the token that it names. */
export const amountOf = (example: string, description: string): z.ZodString =>
  z
    .string()
    .refine((s) => unitOf(s) !== null, `has no unit, write for example "${example}"`)
    .describe(`${description}, for example "${example}"`);
