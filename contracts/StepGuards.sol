// SPDX-License-Identifier: MIT
pragma solidity ^0.8.37;

import {StepAssets} from "./StepAssets.sol";

/// @title StepGuards
/// @notice What a plan of steps asks for besides its least profit: the guards that ArbExecutor lists, but the first pool's, in the
/// same bytes and by the same rules.
/// @dev Guards that must hold before anything is called are checked first; the tip and the sweep come after the last step and
/// before the last look at the balances.
abstract contract StepGuards is StepAssets {
    uint256 private constant WINDOW = 1;
    uint256 private constant PARENT = 2;
    uint256 private constant GAS = 8;
    uint256 private constant TIP = 16;
    uint256 private constant SHARE = 32;
    uint256 private constant SWEEP = 64;
    /// @dev Bytes of each guard, by its bit from the lowest on.
    uint256 private constant SIZES = 0x00_1a_0c_0d_00_0c_0f;
    /// @dev 21,000, and what runs before and after the measure.
    uint256 private constant GAS_AROUND = 24_800;
    /// @dev Arbitrum's precompile that knows the L2's blocks.
    address private constant ARB_SYS = address(0x64);

    /// @dev Bytes that guards take, with the byte that says which there are.
    function _guardsSize(uint256 which) internal pure returns (uint256 size) {
        unchecked {
            size = 1;
            for (uint256 sizes = SIZES; which != 0; which >>= 1) {
                size += (which & 1) * (sizes & 0xff);
                sizes >>= 8;
            }
        }
    }

    /// @dev What must hold before anything is called.
    function _checkGuards(Frame memory f) internal view {
        unchecked {
            uint256 place = f.guards;
            uint256 which = _word(place++) >> 248;
            // the first pool's guard is for cycles whose first pool is known; bit 7 says nothing; a tip is fixed or a share
            if (which & 0x84 != 0 || which & (TIP | SHARE) == (TIP | SHARE)) revert MalformedPlan();
            if (which & WINDOW != 0) {
                uint256 window = _word(place);
                // x - 1 makes zero, which means any, the greatest number
                if (block.timestamp - 1 > (window >> 216) - 1) revert Expired();
                uint256 first = (window >> 176) & type(uint40).max;
                uint256 last = (window >> 136) & type(uint40).max;
                if (first | last != 0) {
                    uint256 number = _blockNumber();
                    if (number < first || number - 1 > last - 1) revert OutsideBlockWindow();
                }
                place += 15;
            }
            if (which & PARENT != 0) {
                if (_word(place) >> 160 != uint96(_parentHash())) revert WrongParent();
                place += 12;
            }
            if (which & GAS != 0 && _word(place) >> 160 == 0) revert GasPriceMissing();
        }
    }

    /// @dev The end of a plan: tip, sweep, and the rule that decides whether the plan lands.
    function _conclude(Frame memory f, uint256 profitIndex, uint256 needed) internal {
        uint256 entry = _asset(f, profitIndex);
        uint256 before = _before(profitIndex);
        uint256 which;
        uint256 place;
        if (f.guards != 0) {
            which = _word(f.guards) >> 248;
            // to the price of gas, or what lies in its place
            place = f.guards + _guardsSize(which & (WINDOW | PARENT));
            uint256 tip = place + _guardsSize(which & GAS) - 1;
            if (which & (TIP | SHARE) != 0) _payTip(tip, which, entry, before);
        }
        uint256 afterwards = _balance(f, entry);
        // one unit stays: a balance that starts at zero costs the next plan 17,100 gas more
        if (which & SWEEP != 0 && afterwards > 1) _pay(entry, _owner, afterwards - 1);
        // nothing but static calls from here on
        _checkOthers(f, profitIndex);
        unchecked {
            if (which & GAS != 0) {
                // the calldata as if no byte were zero (EIP-2028)
                uint256 used = f.gasAtStart - gasleft() + GAS_AROUND + 16 * msg.data.length;
                uint256 price = _word(place);
                needed += (used * tx.gasprice * (price >> 160)) >> uint8(price >> 152);
            }
            // two comparisons: a sum could overflow
            if (afterwards < before || afterwards - before < needed) {
                revert ProfitTooLow(int256(afterwards - before), needed);
            }
        }
    }

    /// @dev Pays the block's proposer out of what this plan made in the wrapped native token, never more.
    function _payTip(uint256 place, uint256 which, uint256 entry, uint256 before) private {
        if (block.chainid != 1 && block.chainid != 11155111) revert TipNotHere();
        if (entry != (ERC20 << 160) | WRAPPED_NATIVE) revert TipNotNative();
        address wrapped = address(uint160(entry));
        uint256 terms = _word(place);
        uint256 tip = terms >> 160;
        uint256 made = _balanceOf(wrapped, address(this));
        unchecked {
            made = made > before ? made - before : 0;
            if (which & SHARE != 0) {
                tip = (made * (terms >> 240)) / 10_000;
                uint256 least = uint96(terms >> 144);
                uint256 most = uint96(terms >> 48);
                if (tip < least) tip = least;
                if (tip > most) tip = most;
            }
        }
        if (tip > made) revert TipAboveProfit(tip, made);
        _call(wrapped, 0, _encode(1, 0x2e1a7d4d, tip, 0, 0, 0));
        bool taken;
        // a proposer that is a contract gets enough gas to receive, and not ours to burn
        assembly ("memory-safe") {
            taken := call(100000, coinbase(), tip, 0, 0, 0, 0)
        }
        if (!taken) revert TipRefused();
    }

    /// @dev block.number; on Arbitrum the L2's, which only ArbSys knows: there the opcode gives the L1's number
    /// (docs.arbitrum.io, "Block numbers and time").
    function _blockNumber() private view returns (uint256) {
        return _isArbitrum() ? _read(ARB_SYS, _encode(0, 0xa3b1b31d, 0, 0, 0, 0)) : block.number;
    }

    /// @dev The parent's hash; on Arbitrum the opcode gives a pseudo-random value.
    function _parentHash() private view returns (uint256) {
        unchecked {
            uint256 parent = _blockNumber() - 1;
            return _isArbitrum() ? _read(ARB_SYS, _encode(1, 0x2b407a82, parent, 0, 0, 0)) : uint256(blockhash(parent));
        }
    }

    function _isArbitrum() private view returns (bool) {
        return block.chainid == 42161 || block.chainid == 421614;
    }
}
