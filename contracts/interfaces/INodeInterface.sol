// SPDX-License-Identifier: MIT
pragma solidity ^0.8.37;

/// @notice Virtual contract of Arbitrum nodes at 0x00000000000000000000000000000000000000C8, callable by eth_call only.
/// Source: OffchainLabs/nitro-contracts, node-interface/NodeInterface.sol.
interface INodeInterface {
    function gasEstimateComponents(
        address to,
        bool contractCreation,
        bytes calldata data
    )
        external
        payable
        returns (uint64 gasEstimate, uint64 gasEstimateForL1, uint256 baseFee, uint256 l1BaseFeeEstimate);
}
