// SPDX-License-Identifier: MIT
pragma solidity ^0.8.37;

/// @notice Fee oracle of OP Stack networks, predeployed at 0x420000000000000000000000000000000000000F.
/// Source: OP Stack specification, predeploys.
interface IGasPriceOracle {
    function getL1Fee(bytes calldata unsignedTransaction) external view returns (uint256 fee);
    function getOperatorFee(uint256 gasUsed) external view returns (uint256 fee);
}
