import { Command } from "commander";
import { networkByName } from "../config/networks.js";
import { ArbError } from "../errors.js";
import { describePlan } from "../plan/describe.js";
import type { CommonOptions } from "./common.js";
import { makeOutput } from "./output.js";

export function decodeCommand(): Command {
  return new Command("decode")
    .description("any calldata of the executor, bare or through execute(bytes), as a readable plan")
    .argument("<calldata>", "0x...")
    .option("--network <name>", "network whose registry names tokens and lenders", "ethereum")
    .action((calldata: string, options: CommonOptions & { network: string }) => {
      const network = networkByName(options.network);
      if (!network) throw new ArbError("usage", `"${options.network}" is no network of the registry`, { where: "--network" });
      const { lines, ...description } = describePlan(calldata, network);
      makeOutput(options).result({ network: network.name, ...description }, () => lines.join("\n"));
    });
}
