// SPDX-License-Identifier: MIT
pragma solidity ^0.8.37;

/// @notice The few cheat codes and checks that our Solidity tests use.
interface Vm {
    function prank(address sender) external;
    function assume(bool condition) external pure;
    function roll(uint256 blockNumber) external;
    function warp(uint256 timestamp) external;
    function deal(address account, uint256 balance) external;
    function chainId(uint256 id) external;
    function etch(address account, bytes calldata code) external;
}

abstract contract TestBase {
    Vm internal constant vm = Vm(address(uint160(uint256(keccak256("hevm cheat code")))));

    error Failed(string what, uint256 left, uint256 right);

    function assertTrue(bool condition, string memory what) internal pure {
        if (!condition) revert Failed(what, 0, 1);
    }

    function assertEq(uint256 left, uint256 right, string memory what) internal pure {
        if (left != right) revert Failed(what, left, right);
    }

    function assertGe(uint256 left, uint256 right, string memory what) internal pure {
        if (left < right) revert Failed(what, left, right);
    }

    /// @dev A value of the range `from` to `to`, both included.
    function bound(uint256 value, uint256 from, uint256 to) internal pure returns (uint256) {
        return from + (value % (to - from + 1));
    }

    /// @dev First four bytes of revert data, zero if there are fewer.
    function selectorOf(bytes memory data) internal pure returns (bytes4 selector) {
        if (data.length >= 4) {
            assembly ("memory-safe") {
                selector := mload(add(data, 32))
            }
        }
    }
}
