// SPDX-License-Identifier: MIT
pragma solidity ^0.8.37;

import {IStargatePool} from "../../contracts/interfaces/IStargatePool.sol";
import {TestToken} from "./Tokens.sol";

interface ITransferFrom {
    function transferFrom(address from, address to, uint256 value) external returns (bool);
    function transfer(address to, uint256 value) external returns (bool);
}

/// @notice A price feed or sequencer feed, with the answer that a test gives it.
contract SettableFeed {
    uint8 public decimals;
    int256 private answer;
    uint256 private startedAt;
    uint256 private updatedAt;

    constructor(uint8 decimals_, int256 answer_) {
        decimals = decimals_;
        set(answer_, block.timestamp, block.timestamp);
    }

    function set(int256 answer_, uint256 startedAt_, uint256 updatedAt_) public {
        (answer, startedAt, updatedAt) = (answer_, startedAt_, updatedAt_);
    }

    function latestRoundData() external view returns (uint80, int256, uint256, uint256, uint80) {
        return (1, answer, startedAt, updatedAt, 1);
    }
}

/// @notice Takes ETH by WETH's function, and gives less of itself for it.
contract StakingToken is TestToken {
    constructor() TestToken("STAKE") {}

    function deposit() external payable {
        balanceOf[msg.sender] += (msg.value * 9) / 10;
    }
}

/// @dev What the three stand-ins below share. Each of them tries to take more than it was given.
abstract contract BridgeStandIn {
    /// @notice Least that arrives at the other end, by token.
    mapping(address => uint256) public arrives;
    /// @notice True if anything but the sender's own twin was to receive or to be refunded.
    bool public strayed;
    /// @notice True if more could be taken than was to be sent.
    bool public tookMore;

    function _take(address token, uint256 amount, uint256 arriving) internal {
        (bool done, ) = token.call(abi.encodeCall(ITransferFrom.transferFrom, (msg.sender, address(this), amount)));
        require(done, "not approved");
        arrives[token] += arriving;
    }

    /// @dev A stand-in that leaves an allowance by design does not try.
    function _takeMore(address token) internal {
        (bool done, ) = token.call(abi.encodeCall(ITransferFrom.transferFrom, (msg.sender, address(this), 1)));
        if (done) tookMore = true;
    }

    function _expect(bytes32 account) internal {
        if (account != bytes32(uint256(uint160(msg.sender)))) strayed = true;
    }
}

/// @notice Stands in for Across' SpokePool: takes a deposit and notes it; pays refunds that are claimed.
contract SpokePoolStandIn is BridgeStandIn {
    bytes32 public outputToken;
    uint256 public destination;
    uint256 public nonce;
    uint32 public fillDeadline;

    function unsafeDeposit(
        bytes32 depositor,
        bytes32 recipient,
        bytes32 inputToken,
        bytes32 outputToken_,
        uint256 inputAmount,
        uint256 outputAmount,
        uint256 destination_,
        bytes32 exclusiveRelayer,
        uint256 nonce_,
        uint32,
        uint32 fillDeadline_,
        uint32 exclusivity,
        bytes calldata message
    ) external payable {
        _expect(depositor);
        _expect(recipient);
        if (exclusiveRelayer != 0 || exclusivity != 0 || message.length != 0) strayed = true;
        (outputToken, destination, nonce, fillDeadline) = (outputToken_, destination_, nonce_, fillDeadline_);
        address token = address(uint160(uint256(inputToken)));
        _take(token, inputAmount, outputAmount);
        _takeMore(token);
    }

    function claimRelayerRefund(bytes32 token, bytes32 refundAddress) external {
        ITransferFrom(address(uint160(uint256(token)))).transfer(address(uint160(uint256(refundAddress))), 1);
    }
}

/// @notice Stands in for CCTP's TokenMessengerV2: takes what is to be burnt, and always the greatest fee.
contract MessengerStandIn is BridgeStandIn {
    uint32 public domain;
    uint32 public finality;
    uint256 public maxFee;

    function depositForBurn(
        uint256 amount,
        uint32 domain_,
        bytes32 mintRecipient,
        address burnToken,
        bytes32 destinationCaller,
        uint256 maxFee_,
        uint32 finality_
    ) external {
        require(maxFee_ < amount, "Max fee must be less than amount");
        _expect(mintRecipient);
        if (destinationCaller != 0) strayed = true;
        (domain, finality, maxFee) = (domain_, finality_, maxFee_);
        _take(burnToken, amount, amount - maxFee_);
        _takeMore(burnToken);
    }
}

/// @notice Stands in for a pool of Stargate v2: takes whole units of its shared decimals only, less a fee, and a native fee.
contract StargateStandIn is BridgeStandIn {
    address public token;
    uint256 public unit;
    uint256 public feeBps;
    uint256 public nativeFee;

    constructor(address token_, uint256 unit_, uint256 feeBps_, uint256 nativeFee_) {
        (token, unit, feeBps, nativeFee) = (token_, unit_, feeBps_, nativeFee_);
    }

    function send(
        IStargatePool.SendParam calldata param,
        IStargatePool.MessagingFee calldata fee,
        address refundAddress
    )
        external
        payable
        returns (IStargatePool.MessagingReceipt memory messageReceipt, IStargatePool.OFTReceipt memory oftReceipt)
    {
        require(msg.value == fee.nativeFee && msg.value >= nativeFee && fee.lzTokenFee == 0, "fee");
        _expect(param.to);
        if (param.extraOptions.length + param.composeMsg.length + param.oftCmd.length != 0) strayed = true;
        uint256 sent = param.amountLD - (param.amountLD % unit);
        uint256 received = sent - (sent * feeBps) / 10_000;
        require(received >= param.minAmountLD, "Stargate_SlippageTooHigh");
        _take(token, sent, received);
        if (sent == param.amountLD) _takeMore(token);
        (bool done, ) = refundAddress.call{value: msg.value - nativeFee}("");
        require(done, "refund");
        oftReceipt = IStargatePool.OFTReceipt(sent, received);
        messageReceipt.fee = fee;
    }
}
