import { expect } from "chai";
import { concat, getBytes, hexlify, keccak256, toBeHex, toQuantity, Transaction, type TransactionLike, Wallet } from "ethers";
import { network as hardhat } from "hardhat";
import { type Chain, chainFromProvider } from "../../src/chain/connect.js";
import { networkById } from "../../src/config/networks.js";
import { chargedFee, type FeeReceipt } from "../../src/fees/charged.js";
import { fastLzLength } from "../../src/fees/fastlz.js";
import { dataFee } from "../../src/fees/fees.js";
import {
  GAS_PRICE_ORACLE,
  l1Fee,
  l1FeeOfUnsigned,
  L1_BLOCK,
  operatorFee,
  type OpFeeState,
  readOpFees,
  withAnySignature,
} from "../../src/fees/op-stack.js";
import { EXTRACTS, packageText } from "../../src/sim/artifacts.js";
import { chargeDataFee } from "../../src/sim/protocols/op-stack.js";
import { IGasPriceOracle__factory, JovianOracle__factory } from "../../types/contracts/index.js";
import { random, SEED } from "../helpers/random.js";

/** A number below n. */
function below(): (n: number) => number {
  const next = random(SEED);
  return (n) => Math.floor(next() * n);
}
const KEY = "0x59c6995e998f97a5a0044966f0945389dc9e86dae88c7a8412f4603b6b78690d";
const oracle = IGasPriceOracle__factory.createInterface();

/** Compared with each oracle; more on demand. */
const PAYLOADS = Number(process.env["PAYLOADS"] ?? 72);
const PATIENCE_MS = 60_000 + PAYLOADS * 200;

type Fees = Parameters<typeof chargeDataFee>[1] & object;
const DAY: Fees = {
  baseFeeScalar: 5_227n,
  blobBaseFeeScalar: 1_014_213n,
  l1BaseFee: 812_345_678n,
  blobBaseFee: 3_456_789n,
  operatorFeeScalar: 2_000_000n,
  operatorFeeConstant: 7n,
};
/** With these the fee is the regression itself, so that not one byte of a length is lost in rounding. */
const BARE: Fees = { ...DAY, baseFeeScalar: 0n, blobBaseFeeScalar: 1_000_000n, blobBaseFee: 1_000_000n };

/** Data of many shapes, each of which takes other paths through FastLZ. */
function payloads(count: number): string[] {
  const next = below();
  const bytes = (n: number) => Uint8Array.from({ length: n }, () => next(256));
  const word = (v: number) => toBeHex(v, 32);
  const kinds: (() => Uint8Array)[] = [
    () => bytes(next(2500)),
    // words of calldata: small numbers, a few addresses
    () => {
      const known = Array.from({ length: 4 }, () => hexlify(bytes(20)));
      const some = Array.from({ length: 1 + next(60) }, () =>
        next(3) ? word(next(1_000_000)) : `0x${"00".repeat(12)}${known[next(4)]!.slice(2)}`,
      );
      return getBytes(concat(some));
    },
    // runs, longer than the longest match
    () =>
      getBytes(
        concat(Array.from({ length: 1 + next(6) }, () => toBeHex(next(256), 1) + toBeHex(next(4), 1).slice(2).repeat(next(900)))),
      ),
    // the same piece again, near and beyond the farthest distance that counts
    () => {
      const piece = hexlify(bytes(1 + next(300)));
      return getBytes(
        concat([piece, new Uint8Array(next(2)), hexlify(bytes(next(9) ? next(400) : 8000 + next(500))), piece, bytes(next(30))]),
      );
    },
    () => bytes(next(40)),
    // few different bytes: many short matches
    () => Uint8Array.from({ length: next(2500) }, () => next(3)),
  ];
  return Array.from({ length: count }, (_, i) => hexlify(kinds[i % kinds.length]!()));
}

describe(`OP Stack fees (seed ${SEED})`, () => {
  let conn: any;
  let chain: Chain;
  /** The oracle's code as the chain has it. */
  let isthmus: string;
  const rpc = (method: string, params: unknown[] = []): Promise<any> => conn.provider.request({ method, params });
  const ask = async (fn: "getL1Fee" | "getOperatorFee", arg: unknown): Promise<bigint> =>
    BigInt(
      await rpc("eth_call", [
        { to: GAS_PRICE_ORACLE, data: oracle.encodeFunctionData(fn as "getL1Fee", [arg as string]), gas: "0xf00000" },
        "latest",
      ]),
    );
  const set = async (fees: Fees): Promise<OpFeeState> => {
    const owner = (await rpc("eth_accounts"))[0];
    await chargeDataFee({ network: chain.network, rpc: rpc as never, owner, trader: owner }, fees);
    return await readOpFees(chain, "latest");
  };

  before(async () => {
    conn = await hardhat.create({
      network: "default",
      chainType: "op",
      override: { chainId: 10, allowBlocksWithSameTimestamp: true } as any,
    });
    chain = await chainFromProvider(networkById(10)!, conn.ethers.provider, { local: true });
    isthmus = await rpc("eth_getCode", [GAS_PRICE_ORACLE, "latest"]);
  });
  afterEach(async () => await rpc("hardhat_setCode", [GAS_PRICE_ORACLE, isthmus]));
  after(async () => await conn.close());

  /** Compares every payload with the oracle that stands there now. */
  async function compare(list: string[]): Promise<void> {
    const state = await set(BARE);
    for (const [i, data] of list.entries())
      expect(l1FeeOfUnsigned(data, state), `payload ${i}: ${data.slice(0, 200)}`).to.equal(await ask("getL1Fee", data));
    const day = await set(DAY);
    for (const data of list.slice(0, 30)) expect(l1FeeOfUnsigned(data, day)).to.equal(await ask("getL1Fee", data));
  }

  it("equal GasPriceOracle 1.4.0 (Isthmus) for every payload, its FastLZ included", async () =>
    await compare(payloads(PAYLOADS))).timeout(PATIENCE_MS);

  it("equal the bytecode that npm has, GasPriceOracle 1.3.0 (Fjord), which knows no operator fee", async () => {
    const { deployedBytecode } = JSON.parse(packageText(`${EXTRACTS.opStack}/GasPriceOracle.sol/GasPriceOracle.json`));
    await rpc("hardhat_setCode", [GAS_PRICE_ORACLE, deployedBytecode.object]);
    await compare(payloads(PAYLOADS));
    expect((await set(DAY)).operatorRule).to.equal("none");
  }).timeout(PATIENCE_MS);

  it("take the operator fee by Isthmus' rule where the oracle does, and by Jovian's where it does", async () => {
    const real = `0x${"0a".repeat(20)}`;
    await rpc("hardhat_setCode", [real, isthmus]);
    const [signer] = await conn.ethers.getSigners();
    const next = below();
    const gases = Array.from({ length: 40 }, () => BigInt(next(16_777_216)));
    const values: [bigint, bigint][] = [
      [0n, 0n],
      [1n, 0n],
      [0n, 9n],
      [4_294_967_295n, 2n ** 64n - 1n],
      [BigInt(next(1_000_000)), BigInt(next(1_000_000))],
    ];
    for (const factor of [null, 100n]) {
      if (factor !== null) {
        const stand = await (await new JovianOracle__factory(signer).deploy(real, factor)).waitForDeployment();
        await rpc("hardhat_setCode", [GAS_PRICE_ORACLE, await rpc("eth_getCode", [await stand.getAddress(), "latest"])]);
      }
      for (const [operatorFeeScalar, operatorFeeConstant] of values) {
        const state = await set({ ...DAY, operatorFeeScalar, operatorFeeConstant });
        if (operatorFeeScalar > 0n) expect(state.operatorRule).to.equal(factor === null ? "isthmus" : "jovian");
        for (const gas of gases) expect(operatorFee(gas, state)).to.equal(await ask("getOperatorFee", gas));
      }
    }
  });

  it("are refused where the network charges by a rule that nobody told us", async () => {
    const [signer] = await conn.ethers.getSigners();
    const failed = () =>
      readOpFees(chain, "latest").then(
        () => null,
        (e: unknown) => e,
      );
    const real = `0x${"0a".repeat(20)}`;
    await rpc("hardhat_setCode", [real, isthmus]);
    const stand = await (await new JovianOracle__factory(signer).deploy(real, 7n)).waitForDeployment();
    await rpc("hardhat_setCode", [GAS_PRICE_ORACLE, await rpc("eth_getCode", [await stand.getAddress(), "latest"])]);
    expect(await failed())
      .to.include({ code: "network" })
      .with.property("message")
      .that.matches(/its operator takes/);
    // answers everything with one
    await rpc("hardhat_setCode", [GAS_PRICE_ORACLE, "0x600160005260206000f3"]);
    expect(await failed())
      .to.include({ code: "network" })
      .with.property("message")
      .that.matches(/where Fjord's formula gives/);
    await rpc("hardhat_setCode", [GAS_PRICE_ORACLE, "0x"]);
    expect(await failed())
      .to.include({ code: "network" })
      .with.property("message")
      .that.matches(/do not answer/);
  });

  it("are what the chain charges for signed bytes, to the wei, whether a transaction succeeds or not", async () => {
    const state = await set(DAY);
    const wallet = new Wallet(KEY);
    await rpc("hardhat_setBalance", [wallet.address, toQuantity(10n ** 20n)]);
    // reverts when it is called with an odd first byte
    const target = `0x${"0b".repeat(20)}`;
    await rpc("hardhat_setCode", [target, "0x60003560f81c60011615601157600080fd5b00"]);
    const outcomes = new Set<string>();
    for (const [i, data] of payloads(60).entries()) {
      if ((data.length - 2) / 2 > 4000) continue;
      const nonce = Number(await rpc("eth_getTransactionCount", [wallet.address, "latest"]));
      const tx = Transaction.from({
        type: 2,
        chainId: 10,
        nonce,
        to: target,
        data,
        gasLimit: 1_000_000n,
        maxFeePerGas: 10n ** 10n,
        maxPriorityFeePerGas: 3n,
      });
      const raw = await wallet.signTransaction(tx);
      const before = BigInt(await rpc("eth_getBalance", [wallet.address, "latest"]));
      // the chain reports a transaction that reverts as an error, and mines it all the same
      await rpc("eth_sendRawTransaction", [raw]).catch(() => undefined);
      const receipt = (await rpc("eth_getTransactionReceipt", [keccak256(raw)])) as FeeReceipt & { status: string };
      const charged = chargedFee(receipt);
      expect(BigInt(receipt.l1Fee!), `payload ${i}`).to.equal(l1Fee(raw, state));
      expect(charged.l1Wei + charged.operatorWei).to.equal(l1Fee(raw, state) + operatorFee(BigInt(receipt.gasUsed), state));
      expect(before - BigInt(await rpc("eth_getBalance", [wallet.address, "latest"]))).to.equal(charged.wei);
      outcomes.add(receipt.status);
    }
    expect([...outcomes].toSorted()).to.deep.equal(["0x0", "0x1"]);
  });

  it("are estimated before the signature to within four bytes of what is charged after it", async () => {
    const next = below();
    let worst = 0;
    for (const data of payloads(90)) {
      const wallet = new Wallet(toBeHex(BigInt(1 + next(1_000_000)), 32));
      const tx: TransactionLike = {
        type: 2,
        chainId: 10,
        nonce: next(70_000),
        to: wallet.address,
        data,
        gasLimit: 300_000n,
        maxFeePerGas: BigInt(next(2 ** 30)),
        maxPriorityFeePerGas: 0n,
      };
      const signed = await wallet.signTransaction(tx);
      const off = fastLzLength(getBytes(signed)) - fastLzLength(getBytes(withAnySignature(tx)));
      worst = Math.max(worst, Math.abs(off));
    }
    expect(worst).to.be.at.most(4);
  });

  it("are read at the block that is asked for", async () => {
    const tx = {
      type: 2,
      chainId: 10,
      to: L1_BLOCK,
      data: hexlify(Buffer.alloc(400, "abcdefghijklmnopqrstuvwxyz0123456789")),
      gasLimit: 500_000n,
      maxFeePerGas: 1n,
    };
    await set(DAY);
    const cheap = Number(await rpc("eth_blockNumber"));
    await set({ ...DAY, l1BaseFee: DAY.l1BaseFee * 3n });
    const [then, now] = [await dataFee(chain, tx, cheap), await dataFee(chain, tx)];
    expect(now.l1FeeWei > then.l1FeeWei).to.equal(true);
    expect(now.operatorFeeWei).to.equal(1_000_007n);
  });
});
