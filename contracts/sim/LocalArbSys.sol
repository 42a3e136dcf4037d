// SPDX-License-Identifier: MIT
pragma solidity ^0.8.37;

/// @notice Stands in for Arbitrum's precompile ArbSys at 0x64 on a local chain, whose block.number plays L1's: the L2's number is
/// greater by a constant (src/sim/arbitrum-node.ts), and its hashes are those that the node's JSON-RPC gives.
contract LocalArbSys {
    uint256 private constant OFFSET = 400_000_000;

    function arbBlockNumber() external view returns (uint256) {
        return block.number + OFFSET;
    }

    /// As the precompile: the last 256 blocks, the present one excluded.
    function arbBlockHash(uint256 number) external view returns (bytes32) {
        require(number < block.number + OFFSET && number + 256 >= block.number + OFFSET, "invalid block number");
        return blockhash(number - OFFSET);
    }

    function arbChainID() external view returns (uint256) {
        return block.chainid;
    }
}
