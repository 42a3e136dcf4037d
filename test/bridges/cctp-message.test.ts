import { expect } from "chai";
import { hexlify, id, type Interface, randomBytes } from "ethers";
import { integer, property as about } from "fast-check";
import {
  attestedOf,
  bytes32,
  isSameMessage,
  messageOf,
  messageTransmitter,
  tokenMessenger,
  tokenMinter,
  withAttested,
} from "../../src/bridges/cctp-message.js";
import { CCTP_PROVIDER, cctpFacts } from "../../src/config/cctp.js";
import {
  LocalMessageTransmitterV2__factory,
  LocalTokenMessengerV2__factory,
  LocalTokenMinterV2__factory,
} from "../../types/contracts/index.js";
import { textOf } from "../config/packages.js";
import { ACCOUNTS } from "../helpers/bare-chains.js";
import { property } from "../helpers/property.js";

const [me, stranger] = ACCOUNTS as [string, string];

describe("messages of CCTP v2", () => {
  it("are laid out as Circle's own example", () => {
    const text = textOf(CCTP_PROVIDER);
    const at = text.indexOf("decodedMessage: {\n        sourceDomain: '0'");
    const example = text.slice(text.lastIndexOf("message: '0x", at), at + 3_000);
    const read = (name: string): string => new RegExp(`\\b${name}: '([^']*)'`).exec(example)![1]!;
    const sent = messageOf({
      sourceDomain: Number(read("sourceDomain")),
      destinationDomain: Number(read("destinationDomain")),
      sender: read("sender"),
      recipient: read("recipient"),
      minFinality: Number(read("minFinalityThreshold")),
      burnToken: read("burnToken"),
      mintRecipient: read("mintRecipient"),
      amount: BigInt(read("amount")),
      messageSender: read("messageSender"),
      maxFee: BigInt(read("maxFee")),
      hookData: "0x",
    });
    expect(attestedOf(read("message"))).to.deep.equal({
      nonce: read("nonce"),
      finality: 1000,
      fee: BigInt(read("feeExecuted")),
      expirationBlock: BigInt(read("expirationBlock")),
    });
    expect(withAttested(sent, attestedOf(read("message"))!)).to.equal(read("message"));
    expect(isSameMessage(sent, read("message"))).to.equal(true);
    expect(cctpFacts(11155111)!.tokenMessenger.address.toLowerCase()).to.equal(read("sender"));
  });

  it("any change of any byte that is not the attesters' makes another message", () => {
    const sent = messageOf({
      sourceDomain: 6,
      destinationDomain: 0,
      sender: stranger,
      recipient: me,
      minFinality: 1000,
      burnToken: me,
      mintRecipient: stranger,
      amount: 5n,
      messageSender: me,
      maxFee: 1n,
      hookData: id("x"),
    });
    const whole = withAttested(sent, { nonce: hexlify(randomBytes(32)), finality: 1000, fee: 1n, expirationBlock: 9n });
    const free = (i: number): boolean => (i >= 12 && i < 44) || (i >= 144 && i < 148) || (i >= 312 && i < 376);
    property(
      about(integer({ min: 0, max: 407 }), integer({ min: 1, max: 255 }), (i, flip) => {
        const bytes = Buffer.from(whole.slice(2), "hex");
        bytes[i]! ^= flip;
        expect(isSameMessage(sent, `0x${bytes.toString("hex")}`), `byte ${i}`).to.equal(free(i));
      }),
      500,
    );
    expect(isSameMessage(sent, `${whole}00`)).to.equal(false);
    expect(attestedOf("0x1234")).to.equal(null);
    expect(bytes32(me)).to.have.lengthOf(66);
  });

  it("the stand-in has the functions and events that the bridge calls", () => {
    const pairs: [Interface, Interface][] = [
      [LocalMessageTransmitterV2__factory.createInterface(), messageTransmitter],
      [LocalTokenMessengerV2__factory.createInterface(), tokenMessenger],
      [LocalTokenMinterV2__factory.createInterface(), tokenMinter],
    ];
    for (const [standIn, called] of pairs) {
      called.forEachFunction((f) => expect(standIn.getFunction(f.selector)?.format(), f.name).to.equal(f.format()));
      called.forEachEvent((e) => expect(standIn.getEvent(e.topicHash)?.format("sighash"), e.name).to.equal(e.format("sighash")));
    }
  });
});
