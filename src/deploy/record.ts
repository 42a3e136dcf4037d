import { closeSync, existsSync, fsyncSync, mkdirSync, openSync, readFileSync, renameSync, writeSync } from "node:fs";
import path from "node:path";
import { getAddress } from "ethers";
import { z } from "zod";
import { ArbError } from "../errors.js";

const address = z.string().refine((a) => isChecksummed(a), "is no EIP-55 address");
const hash = z.string().regex(/^0x[0-9a-f]{64}$/);

const schema = z.strictObject({
  address,
  chainId: z.number().int().positive(),
  /** Block, transaction and time are null when the contract was found there, deployed by an earlier run. */
  block: z.number().int().nonnegative().nullable(),
  tx: hash.nullable(),
  arguments: z.strictObject({ owner: address, operators: z.array(address).min(1) }),
  salt: hash,
  initCodeHash: hash,
  codeHash: hash,
  deployedAt: z.string().nullable(),
  /** Executors that this one replaced on the network, newest first. They may still hold tokens. */
  previous: z.array(address),
});

/** What stands in deployments/NAME.json. */
export type Deployment = z.infer<typeof schema>;

/** Name of the record of a network's StepExecutor, which lies beside that of its ArbExecutor. */
export const stepRecordName = (network: string): string => `${network}.steps`;

const fileOf = (folder: string, name: string): string => path.join(folder, `${name}.json`);

/** The record of a network; null when there is none. Raises ArbError "config" when the file is damaged. */
export function readDeployment(folder: string, name: string): Deployment | null {
  const file = fileOf(folder, name);
  if (!existsSync(file)) return null;
  try {
    return schema.parse(JSON.parse(readFileSync(file, "utf8")));
  } catch (cause) {
    throw new ArbError("config", "the deployment record is damaged", {
      where: file,
      hint: "restore it from version control, or move it away and run the deployment again: it finds the contract on the chain",
      cause,
    });
  }
}

/** Writes the record so that a crash leaves the old file or the new one, never half of one. */
export function writeDeployment(folder: string, name: string, deployment: Deployment): void {
  mkdirSync(folder, { recursive: true });
  const file = fileOf(folder, name);
  const tmp = `${file}.${process.pid}.tmp`;
  const fd = openSync(tmp, "w", 0o644);
  try {
    writeSync(fd, `${JSON.stringify(schema.parse(deployment), null, 2)}\n`);
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
  renameSync(tmp, file);
}

function isChecksummed(text: string): boolean {
  try {
    return getAddress(text) === text;
  } catch {
    return false;
  }
}
