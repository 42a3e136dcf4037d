// SPDX-License-Identifier: MIT
pragma solidity ^0.8.37;

/// @notice Stands in for a fault dispute game of the OP Stack on a local chain. The real DisputeGameFactory clones it with its claim as
/// immutable arguments; whoever runs the world says how it ends. Nobody plays it.
contract LocalDisputeGame {
    uint8 public status;
    uint64 public createdAt;
    uint64 public resolvedAt;

    function initialize() external payable {
        require(createdAt == 0, "already initialized");
        createdAt = uint64(block.timestamp);
    }

    /// 1: the challenger wins; 2: the claim stands.
    function resolveAs(uint8 outcome) external {
        require(status == 0, "already resolved");
        status = outcome;
        resolvedAt = uint64(block.timestamp);
    }

    function gameType() external pure returns (uint32) {
        return 0;
    }

    function rootClaim() external pure returns (bytes32) {
        return bytes32(_argument(20));
    }

    function extraData() external pure returns (bytes memory) {
        return abi.encode(_argument(84));
    }

    function l2SequenceNumber() external pure returns (uint256) {
        return _argument(84);
    }

    /// The factory's clones get, after the calldata: creator, claim, hash of L1's last block, extra data; and their length in two bytes.
    function _argument(uint256 at) private pure returns (uint256 word) {
        assembly ("memory-safe") {
            let start := sub(calldatasize(), shr(240, calldataload(sub(calldatasize(), 2))))
            word := calldataload(add(start, at))
        }
    }
}
