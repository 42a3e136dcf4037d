// SPDX-License-Identifier: MIT
pragma solidity ^0.8.37;

/// @title Raw
/// @notice The calls that a plan makes, each as one small block of assembly.
/// @dev Addresses are uint256 so that nothing is masked twice. These functions write low memory and do not keep Solidity's
/// free memory pointer; code that uses them must not allocate memory afterwards, hence `fail` instead of `revert` there.
///
/// Memory: 0x00-0xdf heads of calls; 0xe0 (BODY) the plan's body, kept through a whole frame; 0x200 (OUTS) one word per hop,
/// the computed outputs of V2 hops.
library Raw {
    /// @notice A token answered false, or nothing where an answer is needed.
    error TokenCallFailed();

    // ------------------------------------------------------------------------------------------------------- reverts

    function fail(bytes4 selector) internal pure {
        assembly ("memory-safe") {
            mstore(0, selector)
            revert(0, 4)
        }
    }

    function fail(bytes4 selector, uint256 a, uint256 b) internal pure {
        assembly {
            mstore(0, selector)
            mstore(4, a)
            mstore(0x24, b)
            revert(0, 0x44)
        }
    }

    // ----------------------------------------------------------------------------------------------------- plan bytes

    function read(uint256 offset) internal pure returns (uint256 value) {
        assembly ("memory-safe") {
            value := calldataload(offset)
        }
    }

    /// @dev Copies `size` bytes of calldata to BODY and hashes them.
    function loadBody(uint256 offset, uint256 size) internal pure returns (uint256 hash) {
        assembly {
            calldatacopy(0xe0, offset, size)
            hash := keccak256(0xe0, size)
        }
    }

    /// @dev Computed output of V2 hop `j`.
    function quoted(uint256 j) internal pure returns (uint256 amount) {
        assembly ("memory-safe") {
            amount := mload(add(0x200, shl(5, j)))
        }
    }

    function setQuoted(uint256 j, uint256 amount) internal pure {
        assembly {
            mstore(add(0x200, shl(5, j)), amount)
        }
    }

    /// @dev Writes the computed outputs of `hops` V2 hops into the body in memory in place of their fees, with a new head, and
    /// hashes it. Outputs are cut to the 12 bytes they have there: too little then, never another pool.
    function fixAmounts(uint256 head, uint256 hops, uint256 size) internal pure returns (uint256 hash) {
        assembly {
            mstore(0xe0, head)
            for {
                let end := shl(5, hops)
                let i := 0
            } lt(i, end) {
                i := add(i, 0x20)
            } {
                let slot := add(0xf0, i) // BODY + 16 + 32 * hop
                mstore(slot, or(shl(96, shr(96, mload(slot))), shr(160, shl(160, mload(add(0x200, i))))))
            }
            hash := keccak256(0xe0, size)
        }
    }

    /// @dev Division as the EVM does it: by zero gives zero, with no check of Solidity's.
    function div(uint256 a, uint256 b) internal pure returns (uint256 c) {
        assembly ("memory-safe") {
            c := div(a, b)
        }
    }

    // --------------------------------------------------------------------------------------------------------- tokens

    /// @dev The answer must be a whole word: an address without code answers a call with nothing.
    function balanceOf(uint256 token) internal view returns (uint256 amount) {
        bytes4 failed = TokenCallFailed.selector;
        assembly {
            mstore(0x00, 0x70a08231) // balanceOf(address)
            mstore(0x20, address())
            if iszero(staticcall(gas(), token, 0x1c, 0x24, 0, 0x20)) {
                returndatacopy(0, 0, returndatasize())
                revert(0, returndatasize())
            }
            if lt(returndatasize(), 0x20) {
                mstore(0, failed)
                revert(0, 4)
            }
            amount := mload(0)
        }
    }

    function allowance(uint256 token, uint256 spender) internal view returns (uint256 value) {
        bytes4 failed = TokenCallFailed.selector;
        assembly {
            mstore(0x00, 0xdd62ed3e) // allowance(address,address)
            mstore(0x20, address())
            mstore(0x40, spender)
            if iszero(staticcall(gas(), token, 0x1c, 0x44, 0, 0x20)) {
                returndatacopy(0, 0, returndatasize())
                revert(0, returndatasize())
            }
            if lt(returndatasize(), 0x20) {
                mstore(0, failed)
                revert(0, 4)
            }
            value := mload(0)
        }
    }

    function transfer(uint256 token, uint256 to, uint256 amount) internal {
        _move(0xa9059cbb, token, to, amount); // transfer(address,uint256)
    }

    function approve(uint256 token, uint256 spender, uint256 amount) internal {
        _move(0x095ea7b3, token, spender, amount); // approve(address,uint256)
    }

    /// @dev Success is true or no answer at all (USDT and others return nothing). Callers have asked the token for a balance
    /// before, so it has code.
    function _move(uint256 selector, uint256 token, uint256 to, uint256 amount) private {
        bytes4 failed = TokenCallFailed.selector;
        assembly {
            mstore(0x00, selector)
            mstore(0x20, to)
            mstore(0x40, amount)
            if iszero(call(gas(), token, 0, 0x1c, 0x44, 0, 0x20)) {
                returndatacopy(0, 0, returndatasize())
                revert(0, returndatasize())
            }
            if iszero(or(eq(mload(0), 1), iszero(returndatasize()))) {
                mstore(0, failed)
                revert(0, 4)
            }
        }
    }

    // ---------------------------------------------------------------------------------------------------------- pools

    /// @dev Reserves of a pair as seen by the swap's direction.
    function reserves(uint256 pair, uint256 zeroForOne) internal view returns (uint256 reserveIn, uint256 reserveOut) {
        assembly {
            mstore(0x00, 0x0902f1ac) // getReserves()
            if iszero(staticcall(gas(), pair, 0x1c, 4, 0, 0x40)) {
                returndatacopy(0, 0, returndatasize())
                revert(0, returndatasize())
            }
            // the word at 0 is token0's reserve, at 0x20 token1's
            reserveIn := mload(shl(5, iszero(zeroForOne)))
            reserveOut := mload(shl(5, zeroForOne))
        }
    }

    /// @dev UniswapV2Pair.swap without callback; the pair has its input already.
    function swapV2(uint256 pair, uint256 zeroForOne, uint256 amountOut, uint256 to) internal {
        assembly {
            mstore(0x00, 0x022c0d9f) // swap(uint256,uint256,address,bytes)
            // amount0Out at 0x20, amount1Out at 0x40: the output's side gets the amount, the other one zero
            mstore(add(0x20, shl(5, zeroForOne)), amountOut)
            mstore(sub(0x40, shl(5, zeroForOne)), 0)
            mstore(0x60, to)
            mstore(0x80, 0x80)
            mstore(0xa0, 0)
            if iszero(call(gas(), pair, 0, 0x1c, 0xa4, 0, 0)) {
                returndatacopy(0, 0, returndatasize())
                revert(0, returndatasize())
            }
        }
    }

    /// @dev UniswapV2Pair.swap that calls back with the body, to this contract.
    function flashV2(uint256 pair, uint256 zeroForOne, uint256 amountOut, uint256 size) internal {
        assembly {
            // shifted by one word so that the data lies at BODY
            mstore(0x20, 0x022c0d9f)
            mstore(add(0x40, shl(5, zeroForOne)), amountOut)
            mstore(sub(0x60, shl(5, zeroForOne)), 0)
            mstore(0x80, address())
            mstore(0xa0, 0x80)
            mstore(0xc0, size)
            if iszero(call(gas(), pair, 0, 0x3c, add(0xa4, and(add(size, 31), not(31))), 0, 0)) {
                returndatacopy(0, 0, returndatasize())
                revert(0, returndatasize())
            }
        }
    }

    /// @dev UniswapV3Pool.swap with the body as callback data and no price limit. `amount` > 0: exact input; as int256 < 0:
    /// exact output.
    function swapV3(uint256 pool, uint256 zeroForOne, uint256 amount, uint256 to, uint256 size) internal {
        assembly {
            mstore(0x00, 0x128acb08) // swap(address,bool,int256,uint160,bytes)
            mstore(0x20, to)
            mstore(0x40, zeroForOne)
            mstore(0x60, amount)
            // MIN_SQRT_RATIO + 1 downwards, MAX_SQRT_RATIO - 1 upwards: TickMath of v3-core
            mstore(
                0x80,
                xor(
                    4295128740,
                    mul(iszero(zeroForOne), xor(4295128740, 1461446703485210103287273052203988822378723970341))
                )
            )
            mstore(0xa0, 0xa0)
            mstore(0xc0, size)
            if iszero(call(gas(), pool, 0, 0x1c, add(0xc4, and(add(size, 31), not(31))), 0, 0)) {
                returndatacopy(0, 0, returndatasize())
                revert(0, returndatasize())
            }
        }
    }

    // -------------------------------------------------------------------------------------------------------- lenders

    /// @dev flashLoanSimple of Aave V3 to this contract, with calldata from `offset` as params.
    function flashLoanAave(uint256 lender, uint256 token, uint256 amount, uint256 offset, uint256 size) internal {
        assembly {
            mstore(0x00, 0x42b0b77c) // flashLoanSimple(address,address,uint256,bytes,uint16)
            mstore(0x20, address())
            mstore(0x40, token)
            mstore(0x60, amount)
            mstore(0x80, 0xa0)
            mstore(0xa0, 0) // referral code
            mstore(0xc0, size)
            calldatacopy(0xe0, offset, size)
            if iszero(call(gas(), lender, 0, 0x1c, add(0xc4, and(add(size, 31), not(31))), 0, 0)) {
                returndatacopy(0, 0, returndatasize())
                revert(0, returndatasize())
            }
        }
    }

    /// @dev flashLoan of Balancer V2's vault to this contract, of one token, with calldata from `offset` as user data.
    function flashLoanBalancer(uint256 lender, uint256 token, uint256 amount, uint256 offset, uint256 size) internal {
        assembly {
            mstore(0x00, 0x5c38449e) // flashLoan(address,address[],uint256[],bytes)
            mstore(0x20, address())
            mstore(0x40, 0x80) // offsets of tokens, amounts, user data
            mstore(0x60, 0xc0)
            mstore(0x80, 0x100)
            mstore(0xa0, 1)
            mstore(0xc0, token)
            mstore(0xe0, 1)
            mstore(0x100, amount)
            mstore(0x120, size)
            calldatacopy(0x140, offset, size)
            if iszero(call(gas(), lender, 0, 0x1c, add(0x124, and(add(size, 31), not(31))), 0, 0)) {
                returndatacopy(0, 0, returndatasize())
                revert(0, returndatasize())
            }
        }
    }

    /// @dev Ends the call; Aave's executeOperation must answer true.
    function returnTrue() internal pure {
        assembly ("memory-safe") {
            mstore(0, 1)
            return(0, 0x20)
        }
    }
}
