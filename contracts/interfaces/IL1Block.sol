// SPDX-License-Identifier: MIT
pragma solidity ^0.8.37;

/// @notice What an OP Stack network knows of L1, predeployed at 0x4200000000000000000000000000000000000015.
/// Source: OP Stack specification, L1 attributes of Ecotone, Isthmus and Jovian.
interface IL1Block {
    function basefee() external view returns (uint256 wei_);
    function blobBaseFee() external view returns (uint256 wei_);
    function baseFeeScalar() external view returns (uint32 scalar);
    function blobBaseFeeScalar() external view returns (uint32 scalar);
    function operatorFeeScalar() external view returns (uint32 scalar);
    function operatorFeeConstant() external view returns (uint64 wei_);
}
