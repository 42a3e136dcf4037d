import { expect } from "chai";
import { makeError } from "ethers";
import { classifyNodeError, endpointName, type NodeErrorKind, scrubberOf, withoutUrls } from "../../src/chain/errors.js";
import { NODE_ERROR_KINDS, NODE_ERRORS } from "../../src/chain/node-errors.js";

describe("classifyNodeError", () => {
  const said: [string, NodeErrorKind][] = [
    ["nonce too low: next nonce 5, tx nonce 4", "nonce-too-low"],
    ["Nonce too low. Expected nonce to be 3 but got 2.", "nonce-too-low"],
    ["nonce too high", "nonce-too-high"],
    ["insufficient funds for gas * price + value: balance 0, tx cost 21000", "insufficient-funds"],
    [
      "Sender doesn't have enough funds to send tx. The max upfront cost is: 5 and the sender's balance is: 0.",
      "insufficient-funds",
    ],
    ["replacement transaction underpriced", "replacement-underpriced"],
    ["transaction underpriced: tip needed 1, tip permitted 0", "underpriced"],
    ["max fee per gas less than block base fee: address 0x.., maxFeePerGas: 1, baseFee: 7", "fee-below-base-fee"],
    ["Transaction maxFeePerGas (1) is too low for the next block, which has a baseFeePerGas of 7", "fee-below-base-fee"],
    ["already known", "already-known"],
    ["Known transaction: ab12", "already-known"],
    ["intrinsic gas too low: gas 20000, minimum needed 21000", "intrinsic-gas-too-low"],
    ["exceeds block gas limit", "gas-limit-exceeded"],
    ["execution reverted: NotProfitable", "reverted"],
    ["the method eth_sendBundle does not exist/is not available", "unsupported-method"],
    ["429 Too Many Requests", "rate-limited"],
    ["request timeout", "timeout"],
    ["connect ECONNREFUSED 127.0.0.1:8545", "unreachable"],
    ["the sequencer had a bad day", "unknown"],
  ];
  for (const [message, kind] of said)
    it(`"${message.slice(0, 50)}" is ${kind}`, () => {
      expect(classifyNodeError(new Error(message)).kind).to.equal(kind);
      // as ethers wraps it
      const wrapped = makeError("could not coalesce error", "UNKNOWN_ERROR", { error: { code: -32000, message } } as any);
      expect(classifyNodeError(wrapped).kind).to.equal(kind);
    });

  it("keeps the revert data however deep it lies", () => {
    const data = "0x08c379a0" + "00".repeat(64);
    expect(classifyNodeError({ error: { code: 3, message: "execution reverted", data } }).revertData).to.equal(data);
    expect(classifyNodeError({ info: { error: { message: "oops", data: { data } } } })).to.deep.include({
      kind: "reverted",
      revertData: data,
    });
    expect(classifyNodeError(new Error("execution reverted")).revertData).to.equal(null);
  });

  it("never shows the path of an endpoint, where access keys are", () => {
    const url = "https://rpc.example.org:8443/v2/SECRETKEY?apikey=SECRETKEY";
    expect(withoutUrls(`failed at ${url}, sorry`)).to.equal("failed at rpc.example.org:8443 sorry");
    const error = makeError("server response 500", "SERVER_ERROR", {
      request: { url } as any,
      response: undefined as any,
      info: { requestUrl: url } as any,
    });
    expect(JSON.stringify(classifyNodeError(error))).not.to.include("SECRETKEY");
    expect(endpointName("not a url SECRETKEY")).not.to.include("SECRETKEY");
  });
});

describe("the table of node errors", () => {
  it("is classified row by row, as it is and as ethers wraps it", () => {
    const wrong = NODE_ERRORS.flatMap(({ client, code, text, kind }) => {
      const plain = classifyNodeError({ code, message: text });
      const wrapped = classifyNodeError(
        makeError("could not coalesce error", "UNKNOWN_ERROR", { error: { code: code ?? -32000, message: text } } as any),
      );
      return [plain, wrapped]
        .filter((found) => found.kind !== kind)
        .map((found) => `${client}: "${text}" is ${found.kind}, not ${kind}`);
    });
    expect(wrong).to.deep.equal([]);
  });

  it("has at least 60 texts, from every kind of node and gateway that the networks use, each once per client", () => {
    const clients = new Set(NODE_ERRORS.map((row) => row.client));
    expect(NODE_ERRORS.length).to.be.at.least(60);
    expect(clients).to.include.all.keys("geth", "erigon", "nethermind", "reth", "besu", "op-geth", "nitro", "infura", "alchemy");
    expect(new Set(NODE_ERRORS.map((row) => `${row.client} ${row.text}`)).size).to.equal(NODE_ERRORS.length);
  });

  it("names an action for every kind, and shows every kind but unknown", () => {
    const shown = new Set<string>(NODE_ERRORS.map((row) => row.kind));
    expect(Object.keys(NODE_ERROR_KINDS).filter((kind) => !shown.has(kind))).to.deep.equal(["unknown"]);
    for (const [kind, { action }] of Object.entries(NODE_ERROR_KINDS)) expect(action, kind).to.match(/^[a-z-]+$/);
  });

  it("takes the code where the text says nothing, and never takes a node's doubt for a refusal", () => {
    expect(classifyNodeError({ code: -32601, message: "?" }).kind).to.equal("unsupported-method");
    expect(classifyNodeError({ error: { code: -38010, message: "?" } }).kind).to.equal("nonce-too-low");
    expect(classifyNodeError({ code: -32000, message: "?" }).kind).to.equal("unknown");
    for (const kind of ["timeout", "unreachable", "unknown", "node-fault", "malformed-answer", "rate-limited"] as const)
      expect(NODE_ERROR_KINDS[kind].taken, kind).to.equal("maybe");
  });
});

describe("scrubberOf", () => {
  it("hides path, query and credentials of an endpoint, also where a server decodes them", () => {
    const scrub = scrubberOf("https://user123456:pass%2Fword99@rpc.example.org/v3/SECRETKEY1?apikey=SECRETKEY2");
    const text = scrub(
      "no /v3/SECRETKEY1?apikey=SECRETKEY2 here: SECRETKEY1 SECRETKEY2 user123456 pass/word99 at https://rpc.example.org/x",
    );
    expect(text).not.to.match(/SECRET|user123456|word99/);
    expect(text).to.include("rpc.example.org");
  });
});
