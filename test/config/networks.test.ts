import { expect } from "chai";
import {
  getAddress,
  getCreate2Address,
  getCreateAddress,
  keccak256,
  solidityPacked,
  Transaction,
  AbiCoder,
  ZeroHash,
} from "ethers";
import { network as hardhat } from "hardhat";
import { registryEntries, requireCheckedAddresses } from "../../src/config/checked-addresses.js";
import {
  PACKAGES,
  PANCAKESWAP_V3_INIT_HASH,
  SUSHISWAP_V2_INIT_HASH,
  UNISWAP_V2_INIT_HASH,
  UNISWAP_V3_INIT_HASH,
  unverified,
} from "../../src/config/facts.js";
import { cctpFacts } from "../../src/config/cctp.js";
import type { Network } from "../../src/config/network.js";
import { OP_PREDEPLOYS } from "../../src/config/op-standard.js";
import { stargateFacts } from "../../src/config/stargate.js";
import { findToken, networkById, networkByName, NETWORKS } from "../../src/config/networks.js";
import { VENUES } from "../../src/venues/index.js";
import type { PoolTraits, VenueId } from "../../src/venues/venue.js";
import { aaveToken, circleChain, knownAddresses, layerzeroEid, stargateDeployment, sushi, textOf } from "./packages.js";

const net = (name: Network["name"]): Network => networkByName(name)!;

describe("network registry", () => {
  it("has the eight networks with distinct ids, names and genesis hashes", () => {
    expect(NETWORKS.map((n) => n.chainId)).to.have.members([1, 42161, 10, 8453, 11155111, 421614, 11155420, 84532]);
    expect(new Set(NETWORKS.map((n) => n.name)).size).to.equal(8);
    expect(new Set(NETWORKS.map((n) => n.genesisHash)).size).to.equal(8);
    for (const n of NETWORKS) expect(networkById(n.chainId)).to.equal(n);
    expect(networkById(56)).to.equal(null);
    expect(networkByName("bsc")).to.equal(null);
  });

  it("finds tokens by address and by symbol in any case, and only listed ones", () => {
    const n = net("ethereum");
    expect(findToken(n, "usdc")!.decimals).to.equal(6);
    expect(findToken(n, n.wrappedNative.toLowerCase())!.symbol).to.equal("WETH");
    expect(findToken(n, "SHIB")).to.equal(null);
    for (const each of NETWORKS) expect(findToken(each, "WETH")!.address).to.equal(each.wrappedNative);
  });

  for (const n of NETWORKS)
    it(`${n.name}: every verified address is the one that the protocol's npm package names`, () => {
      const known = knownAddresses(n);
      let compared = 0;
      for (const { place, entry } of registryEntries(n)) {
        expect(entry.address, `${place} is not in EIP-55 form`).to.equal(getAddress(entry.address));
        expect(entry.source, place).not.to.equal("");
        if (!entry.verified || place === "create2Proxy") continue;
        expect(known.get(place) && getAddress(known.get(place)!.toLowerCase()), place).to.equal(entry.address);
        compared++;
      }
      expect(compared).to.be.greaterThan(9);
    });

  it("no package confirms exactly these, which live mode checks on the network before it uses them", () => {
    const list = NETWORKS.flatMap((n) => registryEntries(n).flatMap((e) => (e.entry.verified ? [] : [`${n.name} ${e.place}`])));
    expect(list).to.deep.equal([
      "optimism solidly.factory",
      "optimism solidly.implementation",
      "optimism slipstream.implementation",
      "base solidly.factory",
      "base solidly.implementation",
      "base slipstream.factory",
      "base slipstream.implementation",
    ]);
  });

  it("CCTP's domains are those of Circle's provider", () => {
    for (const n of NETWORKS) expect(cctpFacts(n.chainId)?.domain, n.name).to.equal(circleChain(n.chainId)?.domain);
  });

  it("Stargate's endpoint ids are LayerZero's, and its pools were made for the registry's USDC", () => {
    for (const n of NETWORKS.filter((each) => !each.testnet)) {
      expect(stargateFacts(n.chainId)!.eid, n.name).to.equal(layerzeroEid(n.chainId));
      const token = stargateDeployment(n.chainId, "StargatePoolUSDC")!.args[2]!;
      expect(getAddress(token), n.name).to.equal(findToken(n, "USDC")!.address);
    }
  });

  it("the OP Stack's predeploys are viem's", () => {
    const text = textOf(PACKAGES.viem.replace("chains/definitions", "op-stack/contracts.ts"));
    const { messenger, bridge, messagePasser } = OP_PREDEPLOYS;
    const named = { l2CrossDomainMessenger: messenger, l2StandardBridge: bridge, l2ToL1MessagePasser: messagePasser };
    for (const [name, address] of Object.entries(named))
      expect(text).to.match(new RegExp(`\\b${name}: \\{\\s*address: '${address}'`));
  });

  it("a second package agrees on the main networks' tokens and factories", () => {
    let agreed = 0;
    for (const n of NETWORKS.filter((each) => !each.testnet)) {
      for (const t of n.tokens) {
        const aave = aaveToken(n.chainId, t.symbol);
        if (aave) {
          expect([aave.address, aave.decimals], `${n.name} ${t.symbol}`).to.deep.equal([t.address, t.decimals]);
          agreed++;
        }
        if (t.symbol === "cbBTC" || (t.symbol === "WBTC" && n.name === "base")) continue;
        const file = t.symbol === "WETH" ? "WETH9" : t.symbol;
        expect(sushi(`${PACKAGES.sushiTokens}/${file}.js`, `${file}_ADDRESS`, n.chainId), `${n.name} ${t.symbol}`).to.equal(
          t.address,
        );
        agreed++;
      }
      const features = PACKAGES.sushiV2.replace("sushiswap-v2.js", "");
      for (const [venue, file, table] of [
        ["uniswap-v2", "uniswap-v2.js", "UNISWAP_V2_FACTORY_ADDRESS"],
        ["uniswap-v3", "uniswap-v3.js", "UNISWAP_V3_FACTORY_ADDRESS"],
        ["pancakeswap-v3", "pancakeswap-v3.js", "PANCAKESWAP_V3_FACTORY_ADDRESS"],
      ] as const) {
        const facts = n.venues[venue];
        if (!facts) continue;
        expect(sushi(features + file, table, n.chainId), `${n.name} ${venue}`).to.equal(facts.factory.address);
        agreed++;
      }
    }
    expect(agreed).to.be.greaterThan(40);
  });

  it("init code hashes are those of the protocols' packages", () => {
    expect(textOf("@uniswap/v2-sdk@4.21.4:dist/cjs/src/constants.js")).to.include(`INIT_CODE_HASH = '${UNISWAP_V2_INIT_HASH}'`);
    expect(textOf("@uniswap/v3-sdk@3.31.5:dist/cjs/src/constants.js")).to.include(
      `POOL_INIT_CODE_HASH = '${UNISWAP_V3_INIT_HASH}'`,
    );
    expect(textOf(PACKAGES.sushiV3)).to.include(`POOL_INIT_CODE_HASH = '${UNISWAP_V3_INIT_HASH}'`);
    for (const id of ["ETHEREUM", "ARBITRUM", "OPTIMISM", "BASE", "SEPOLIA"])
      expect(textOf(PACKAGES.sushiV2)).to.include(`[EvmChainId.${id}]: '${SUSHISWAP_V2_INIT_HASH}'`);
    for (const id of [1, 42161, 8453, 11155111, 421614, 84532])
      expect(textOf(PACKAGES.pancakeV3)).to.include(`readonly ${id}: "${PANCAKESWAP_V3_INIT_HASH}"`);
  });

  // The pools below are the deepest WETH/USDC pools of each venue: an address computed from factory, hash and tokens that
  // equals the known one proves all of them at once.
  const known: [Network["name"], VenueId, number, string, string, string][] = [
    ["ethereum", "uniswap-v2", 3000, "USDC", "WETH", "0xB4e16d0168e52d35CaCD2c6185b44281Ec28C9Dc"],
    ["ethereum", "sushiswap-v2", 3000, "USDC", "WETH", "0x397FF1542f962076d0BFE58eA045FfA2d347ACa0"],
    ["ethereum", "uniswap-v3", 500, "USDC", "WETH", "0x88e6A0c2dDD26FEEb64F039a2c41296FcB3f5640"],
    ["ethereum", "pancakeswap-v3", 500, "USDC", "WETH", "0x1ac1A8FEaAEa1900C4166dEeed0C11cC10669D36"],
    ["ethereum", "uniswap-v3", 3000, "WBTC", "WETH", "0xCBCdF9626bC03E24f779434178A73a0B4bad62eD"],
    ["arbitrum", "uniswap-v3", 500, "USDC", "WETH", "0xC6962004f452bE9203591991D15f6b388e09E8D0"],
    ["base", "uniswap-v3", 500, "USDC", "WETH", "0xd0b53D9277642d899DF5C87A3966A349A798F224"],
    ["optimism", "uniswap-v3", 500, "USDC", "WETH", "0x1fb3cf6e48F1E7B10213E7b6d87D4c073C7Fdb7b"],
  ];
  for (const [name, venue, fee, a, b, pool] of known)
    it(`${name}: ${venue} ${a}/${b} ${fee} is at its known address by CREATE2`, () => {
      const n = net(name);
      const facts = n.venues[venue]!;
      const [t0, t1] = [findToken(n, a)!.address, findToken(n, b)!.address].toSorted((x, y) => (BigInt(x) < BigInt(y) ? -1 : 1));
      const salt = venue.endsWith("v2")
        ? keccak256(solidityPacked(["address", "address"], [t0, t1]))
        : keccak256(AbiCoder.defaultAbiCoder().encode(["address", "address", "uint24"], [t0, t1, fee]));
      expect(getCreate2Address(facts.deployer.address, salt, facts.initCodeHash)).to.equal(pool);
    });

  // the factories and what their pools are proxies of: no package names them together, but only the right ones give these pools
  const proxies: [Network["name"], VenueId, PoolTraits, string, string][] = [
    ["base", "slipstream", { tickSpacing: 100 }, "WETH", "0xb2cc224c1c9feE385f8ad6a55b4d94E92359DC59"],
    ["base", "solidly", { stable: false }, "WETH", "0xcDAC0d6c6C59727a65F871236188350531885C43"],
    ["optimism", "slipstream", { tickSpacing: 100 }, "WETH", "0x478946BcD4a5a22b316470F5486fAfb928C0bA25"],
    ["optimism", "solidly", { stable: false }, "WETH", "0xF4F2657AE744354bAcA871E56775e5083F7276Ab"],
  ];
  for (const [name, venue, traits, symbol, pool] of proxies)
    it(`${name}: the ${venue} pool of ${symbol} and USDC is at its known address by CREATE2`, () => {
      const n = net(name);
      const tokens = [findToken(n, symbol)!.address, findToken(n, "USDC")!.address] as const;
      expect(VENUES[venue].poolAddress(n, ...tokens, 0, traits)).to.equal(pool);
    });

  it("the CREATE2 proxy is where its keyless transaction creates it", () => {
    const keyless = Transaction.from(
      "0xf8a58085174876e800830186a08080b853604580600e600039806000f350fe7fffffffffffffffffffffffffffffffffffffffffffffffffffffffff" +
        "ffffffe03601600081602082378035828234f58015156039578182fd5b8082525050506014600cf31ba0" +
        `${"2".repeat(64)}a0${"2".repeat(64)}`,
    );
    const proxy = getCreateAddress({ from: keyless.from!, nonce: 0 });
    for (const n of NETWORKS) expect(n.create2Proxy.address).to.equal(proxy);
  });
});

describe("requireCheckedAddresses", () => {
  const VAULT = "0xBA12222222228d8Ba445958a75a0704d566BF2C8";
  // Runtime code that returns one word whatever is called.
  const returning = (word: string): string => `0x7f${word.slice(2).padStart(64, "0")}60005260206000f3`;

  it("refuses an unverified address without code, with foreign code, and accepts one that answers as it should", async () => {
    const conn = await hardhat.create({ network: "default" });
    const { provider } = conn.ethers;
    const n: Network = { ...net("base"), venues: {}, lenders: { "balancer-v2": unverified(VAULT, "an example") } };
    const refused = async (): Promise<string> =>
      requireCheckedAddresses(n, provider).then(
        () => "accepted",
        (e: Error) => e.message,
      );
    expect(await refused()).to.match(/no contract at an address/);
    expect(await requireCheckedAddresses(n, provider, true), "a local world").to.deep.equal([]);
    await provider.send("hardhat_setCode", [VAULT, "0x60006000fd"]);
    expect(await refused()).to.match(/does not answer WETH\(\)/);
    await provider.send("hardhat_setCode", [VAULT, returning(ZeroHash)]);
    expect(await refused()).to.match(/the registry expects 0x4200/);
    await provider.send("hardhat_setCode", [VAULT, returning(n.wrappedNative)]);
    expect(await requireCheckedAddresses(n, provider)).to.deep.equal(["lenders.balancer-v2"]);
    await conn.close();
  });
});
