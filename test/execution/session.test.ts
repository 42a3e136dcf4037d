import { expect } from "chai";
import { networkById } from "../../src/config/networks.js";
import { parseConfig } from "../../src/config/load.js";
import { type Session, openSession } from "../../src/execution/session.js";
import { type LocalChain, startLocalChain } from "../../src/sim/chain.js";
import { type Desk, openDesk } from "../../src/sim/desk.js";
import { rejection } from "../helpers/rejection.js";

describe("session", () => {
  let local: LocalChain;
  let desk: Desk;

  before(async () => {
    local = await startLocalChain(1);
    desk = await openDesk(local, null);
  });
  after(async () => {
    desk.close();
    await local.close();
  });

  const open = async (executor: string): Promise<Session> => {
    const text = `{ "networks": { "ethereum": { "rpc": ["${local.url}"], "executor": "${executor}" } } }`;
    return openSession(parseConfig(text, "/arb.config.jsonc"), { deployments: "/nowhere", send: false });
  };

  it("asks again after a driver could not be opened, and keeps one that could", async () => {
    const executor = "0x1111111111111111111111111111111111111111";
    const session = await open(executor);
    expect(await rejection(session.driver(1))).to.include({ code: "config" });
    await local.rpc("hardhat_setCode", [executor, await desk.chain.provider.getCode(desk.executor)]);
    const driver = await session.driver(1);
    expect(driver.context.operator).to.equal(desk.wallet.address);
    expect(await session.driver(1)).to.equal(driver);
    await session.close();
  });

  it("says that a contract is no executor", async () => {
    for (const other of [networkById(1)!.wrappedNative, networkById(1)!.multicall3.address]) {
      const session = await open(other);
      expect(await rejection(session.driver(1))).to.include({ code: "config" });
      await session.close();
    }
  });
});
