import { Command } from "commander";
import { loadConfig } from "../config/load.js";
import { vaultRecord } from "../deploy/deploy.js";
import { readDeployment } from "../deploy/record.js";
import { ArbError } from "../errors.js";
import { connectTo } from "../execution/session.js";
import { planConfiguration } from "../vault/plan-configuration.js";
import { type ConfigOptions, withConfig } from "./common.js";
import { makeOutput } from "./output.js";

interface PlanOptions extends ConfigOptions {
  network: string;
}

export function vaultCommand(): Command {
  const plan = withConfig(new Command("plan"))
    .description("the calls with which the vault's owner brings it to the configuration; needs no key, sends nothing")
    .requiredOption("--network <name>", "a configured network")
    .action(async (options: PlanOptions) => {
      const output = makeOutput(options);
      const config = loadConfig(options.config);
      const networkConfig = config.networks.find((n) => n.network.name === options.network);
      if (!networkConfig)
        throw new ArbError("config", `${options.network} is not configured`, { where: "networks", hint: "add its endpoint" });
      const { network, vault } = networkConfig;
      const where = `networks.${network.name}.vault`;
      if (vault === null) throw new ArbError("config", `no vault is configured on ${network.title}`, { where });
      const address = vault.address ?? readDeployment(options.deployments, vaultRecord(network.name))?.address;
      if (address === undefined)
        throw new ArbError("config", `no vault is deployed on ${network.title}`, {
          where: `${where}.address`,
          hint: `deploy one with: arb deploy --contract vault --network ${network.name} --owner 0x..., or give its address`,
        });
      const chain = await connectTo(networkConfig, config);
      try {
        if ((await chain.provider.getCode(address)) === "0x")
          throw new ArbError("config", "there is no contract at the vault's address", { where: `${network.name} ${address}` });
        const calls = await planConfiguration(address, vault, chain.provider);
        output.result({ network: network.name, chainId: network.chainId, vault: address, calls }, () =>
          calls.length === 0
            ? `${address} allows what is configured; there is nothing to do`
            : calls.map((call) => `${call.purpose}\n  to   ${call.to}\n  data ${call.data}`).join("\n"),
        );
      } finally {
        chain.close();
      }
    });
  return new Command("vault").description("the vault that holds the inventory of cross-chain trades").addCommand(plan);
}
