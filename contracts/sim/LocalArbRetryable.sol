// SPDX-License-Identifier: MIT
pragma solidity ^0.8.37;

/// @notice Stands in for Arbitrum's precompile ArbRetryableTx at 0x6E on a local chain. The world's sequencer writes down what became of
/// tickets; a redemption that somebody asks for is run by the sequencer, in a transaction of its own, as Nitro does.
contract LocalArbRetryable {
    error NoTicketWithID();

    event TicketCreated(bytes32 indexed ticketId);
    event RedeemScheduled(
        bytes32 indexed ticketId,
        bytes32 indexed retryTxHash,
        uint64 indexed sequenceNum,
        uint64 donatedGas,
        address gasDonor,
        uint256 maxRefund,
        uint256 submissionFeeRefund
    );
    /// Not one of the precompile's: tells the local sequencer what to run.
    event RedeemAsked(bytes32 indexed ticketId);

    mapping(bytes32 ticketId => uint256 time) private timeouts;

    function create(bytes32 ticketId) external {
        timeouts[ticketId] = block.timestamp + 7 days;
        emit TicketCreated(ticketId);
    }

    function scheduled(bytes32 ticketId, bytes32 retryTxHash, bool passed) external {
        if (passed) delete timeouts[ticketId];
        emit RedeemScheduled(ticketId, retryTxHash, 0, 0, msg.sender, 0, 0);
    }

    function getTimeout(bytes32 ticketId) public view returns (uint256 timeout) {
        timeout = timeouts[ticketId];
        if (timeout <= block.timestamp) revert NoTicketWithID();
    }

    function redeem(bytes32 ticketId) external returns (bytes32) {
        getTimeout(ticketId);
        emit RedeemAsked(ticketId);
        return ticketId;
    }
}
