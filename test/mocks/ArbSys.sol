// SPDX-License-Identifier: MIT
pragma solidity ^0.8.37;

/// @notice Stands in for Arbitrum's precompile at 0x64: a block number and hashes unlike those of the opcodes.
contract ArbSys {
    function arbBlockNumber() external view returns (uint256) {
        return block.number + 1_000_000;
    }

    function arbBlockHash(uint256 number) external view returns (bytes32) {
        require(number < block.number + 1_000_000 && number + 256 >= block.number + 1_000_000, "InvalidBlockNumber");
        return keccak256(abi.encode("arbitrum", number));
    }
}
