import { expect } from "chai";
import { PoolProvider } from "../../src/chain/pool-provider.js";
import type { RpcPool } from "../../src/chain/pool.js";
import { networkById } from "../../src/config/networks.js";
import { ArbError } from "../../src/errors.js";
import { findReceipt, type Watched } from "../../src/journal/watch.js";
import type { Slot } from "../../src/journal/types.js";
import type { Actions } from "../../src/transfers/actions.js";
import { openCalls } from "../../src/transfers/closing.js";
import { faultKindOf } from "../../src/transfers/faults.js";
import { rejection } from "../helpers/rejection.js";

const network = networkById(1)!;
const hash = `0x${"ab".repeat(32)}`;

describe("faults of a trade's steps: what may still be answered is no reason to give up", () => {
  it("a receipt that only one of two endpoints gives", async () => {
    const reason = "only a.example gives a receipt; b.example fails";
    const receipt = () => Promise.resolve({ status: "unknown", why: "no-answer", reason });
    const provider = new PoolProvider({ network, receipt, close: () => undefined } as unknown as RpcPool, 1_000);
    const error = await rejection(provider.getTransactionReceipt(hash));
    expect([faultKindOf(error), (error as Error).message.includes(reason)]).to.deep.equal(["silent", true]);
    provider.destroy();
  });

  it("a receipt whose block only one of two endpoints has", async () => {
    const receipt = {
      transactionHash: hash,
      blockHash: hash,
      blockNumber: "0x5",
      status: "0x1",
      gasUsed: "0x5208",
      effectiveGasPrice: "0x1",
      logs: [],
    };
    const has = (value: unknown) => ({ send: () => Promise.resolve(value) });
    const list = [
      { name: "a", ...has({ hash }) },
      { name: "b", ...has(null) },
    ];
    const journal = { step: () => undefined };
    const watched = { journal, network, provider: has(receipt), witnesses: { needed: 2, list } } as unknown as Watched;
    const error = await rejection(findReceipt(watched, { attempts: [{ hash }] } as unknown as Slot));
    expect([faultKindOf(error), /is not certain/.test((error as Error).message)]).to.deep.equal(["silent", true]);
  });

  it("a head or a count that is no answer", () => {
    expect(faultKindOf(new Error("malformed answer: the node gave no head block"))).to.equal("silent");
  });

  it("a database that is shutting down, or has no connection left", async () => {
    for (const code of ["57P01", "53300", undefined]) {
      const query = () => Promise.reject(Object.assign(new Error("Connection terminated unexpectedly"), { code }));
      const error = await rejection(openCalls({ store: { db: { pool: { query } } } } as unknown as Actions, "x"));
      expect(faultKindOf(error), String(code)).to.equal("silent");
    }
  });

  it("but a key that is not there, a mistake of the program, and an account that another driver has are what they are", () => {
    expect(faultKindOf(new ArbError("secrets", "no key"))).to.equal("fault");
    expect(faultKindOf(new TypeError("x is not a function"))).to.equal("fault");
    expect(faultKindOf(new ArbError("locked", "another driver has it"))).to.equal("locked");
  });
});
