// SPDX-License-Identifier: MIT
pragma solidity ^0.8.37;

import {StepSwaps} from "./StepSwaps.sol";

/// @title StepV4
/// @notice Steps inside an unlock of Uniswap V4's PoolManager: swaps run up debts and credits, which are paid, taken, or kept as
/// ERC-6909 claims. The manager lets the unlock end only when all are settled.
abstract contract StepV4 is StepSwaps {
    uint256 internal constant V4_SWAP = 9;
    uint256 internal constant V4_TAKE = 10;
    uint256 internal constant V4_SETTLE = 11;
    uint256 internal constant V4_MINT = 12;
    uint256 internal constant V4_BURN = 13;

    function _stepV4(Frame memory f, Step memory s, uint256 last) internal returns (uint256) {
        uint256 kind = s.kind;
        if (f.manager == address(0)) revert MalformedPlan();
        if (kind == V4_SETTLE) return _settle(f, s);
        if (kind == V4_BURN) {
            uint256 amount = _amountOf(f, s, last);
            _call(f.manager, 0, _encode(3, 0xf5298aca, _self(), _claim(s.assetIn), amount, 0));
            return amount;
        }
        if (kind == V4_SWAP) return _swapV4(f, s, _amountOf(f, s, last));
        // the whole credit, the last output, or a fixed part
        uint256 mode = s.options & 15;
        uint256 credit = mode == 0 ? s.amount : last;
        if (mode == 2) {
            int256 delta = _delta(f, s.assetOut);
            credit = delta > 0 ? uint256(delta) : 0;
        }
        if (kind == V4_TAKE) {
            if (s.assetOut >> 160 == CLAIM) revert MalformedPlan();
            _call(f.manager, 0, _encode(3, 0x0b0d9c09, uint160(s.assetOut), _self(), credit, 0));
        } else {
            _call(f.manager, 0, _encode(3, 0x156e29f6, _self(), _claim(s.assetOut), credit, 0));
        }
        return credit;
    }

    /// @dev Extra: fee (3), tick spacing (3), hooks (20), hook data (the rest). Currencies may stand as claims.
    function _swapV4(Frame memory f, Step memory s, uint256 amount) private returns (uint256) {
        (address currencyIn, address currencyOut) = (address(uint160(s.assetIn)), address(uint160(s.assetOut)));
        bool zeroForOne = currencyIn < currencyOut;
        bool exactOut = s.options & EXACT_OUT != 0;
        uint256 hooks = _field(s, 6, 20);
        bytes memory hookData = new bytes(s.extraSize - 26);
        uint256 place = s.extra + 26;
        assembly ("memory-safe") {
            calldatacopy(add(hookData, 32), place, mload(hookData))
        }
        // swap((address,address,uint24,int24,address),(bool,int256,uint160),bytes)
        bytes memory data = _encode(
            4,
            0xf3cd914c,
            _uint(zeroForOne ? currencyIn : currencyOut),
            _uint(zeroForOne ? currencyOut : currencyIn),
            _field(s, 0, 3),
            _field(s, 3, 3)
        );
        data = _append(_append(data, hooks), zeroForOne ? 1 : 0);
        // exact input is negative here
        data = _append(_append(data, uint256(exactOut ? int256(amount) : -int256(amount))), _priceLimit(zeroForOne));
        _call(f.manager, 0, _append(_append(data, 0x120), hookData));
        // amount0 in the upper half, amount1 in the lower; positive is a credit
        uint256 delta = _answer(0);
        int128 credit = zeroForOne ? int128(uint128(delta)) : int128(int256(delta) >> 128);
        return credit > 0 ? uint256(uint128(credit)) : 0;
    }

    /// @dev Pays the whole debt in an asset, at most the step's amount.
    function _settle(Frame memory f, Step memory s) private returns (uint256 debt) {
        int256 delta = _delta(f, s.assetIn);
        unchecked {
            debt = delta < 0 ? uint256(-delta) : 0;
        }
        if (debt > s.amount) revert PaymentAboveCap(debt, s.amount);
        address manager = f.manager;
        // also before ETH, so that no other currency is being counted
        _call(manager, 0, _encode(1, 0xa5841194, uint160(s.assetIn), 0, 0, 0));
        bool native = s.assetIn == NATIVE;
        if (!native) _pay(s.assetIn, manager, debt);
        _call(manager, native ? debt : 0, _encode(0, 0x11da60b4, 0, 0, 0, 0));
    }

    /// @dev Our debt (negative) or credit in a currency. Source: CurrencyDelta of v4-core, read by exttload.
    function _delta(Frame memory f, uint256 entry) private view returns (int256) {
        bytes32 slot = keccak256(abi.encode(address(this), address(uint160(entry))));
        return int256(_read(f.manager, _encode(1, 0xf135baaa, uint256(slot), 0, 0, 0)));
    }

    /// @dev ERC-6909 id of an entry that must be a claim.
    function _claim(uint256 entry) private pure returns (uint256) {
        if (entry >> 160 != CLAIM) revert MalformedPlan();
        return uint160(entry);
    }
}
