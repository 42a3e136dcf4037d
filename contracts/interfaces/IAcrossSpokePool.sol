// SPDX-License-Identifier: MIT
pragma solidity ^0.8.37;

/// @notice SpokePool of Across V3. Addresses are bytes32, because some of its chains have longer ones.
interface IAcrossSpokePool {
    /// @notice A deposit whose id is keccak256(abi.encode(msg.sender, depositor, depositNonce)), so known before it is sent.
    function unsafeDeposit(
        bytes32 depositor,
        bytes32 recipient,
        bytes32 inputToken,
        bytes32 outputToken,
        uint256 inputAmount,
        uint256 outputAmount,
        uint256 destinationChainId,
        bytes32 exclusiveRelayer,
        uint256 depositNonce,
        uint32 quoteTimestamp,
        uint32 fillDeadline,
        uint32 exclusivityParameter,
        bytes calldata message
    ) external payable;

    /// @notice Pays a refund that could not be transferred, owed to the caller.
    function claimRelayerRefund(bytes32 l2TokenAddress, bytes32 refundAddress) external;
}
