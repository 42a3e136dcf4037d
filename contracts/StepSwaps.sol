// SPDX-License-Identifier: MIT
pragma solidity ^0.8.37;

import {StepAssets} from "./StepAssets.sol";

/// @title StepSwaps
/// @notice Steps that change one asset into another, one function per kind of pool.
/// @dev Each returns its output as far as the pool tells it; where a token may take a fee or the pool tells nothing, the plan
/// asks for the output to be measured.
abstract contract StepSwaps is StepAssets {
    uint256 internal constant V2_SWAP = 1;
    uint256 internal constant V3_SWAP = 2;
    uint256 internal constant CURVE_SWAP = 3;
    uint256 internal constant BALANCER_V2_SWAP = 4;
    uint256 internal constant ERC4626_DEPOSIT = 5;
    uint256 internal constant ERC4626_REDEEM = 6;
    uint256 internal constant WRAP = 7;
    uint256 internal constant UNWRAP = 8;
    uint256 internal constant BALANCER_V3_SWAP = 23;

    /// @dev V2: the output is given too, and no reserves are read.
    uint256 private constant GIVEN = 0x80;
    /// @dev V2: the input lies in the pool already, sent by the step before.
    uint256 private constant ARRIVED = 4;
    /// @dev V2: the pool computes its output itself (Solidly's getAmountOut).
    uint256 private constant ASK_POOL = 0xffffff;

    /// @dev What the V3 pool that is being called may be paid.
    address internal transient _payToken;
    uint256 internal transient _payCap;

    /// @dev Who may call back, as which kind of callback, and the step that it belongs to (from the plan's first byte).
    function _expect(address caller, uint256 callback, uint256 step) internal {
        _steps = (uint256(uint160(caller)) << 96) | (step << 16) | (callback << 8) | STEPS_RUN;
    }

    function _swap(Frame memory f, Step memory s, uint256 last) internal returns (uint256 amountOut) {
        uint256 kind = s.kind;
        if (kind == V2_SWAP) return _swapV2(f, s, last);
        uint256 amount = _amountOf(f, s, last);
        if (kind == V3_SWAP) return _swapV3(s, amount, "", 1, 0);
        if (kind == CURVE_SWAP) return _swapCurve(s, amount);
        if (kind == BALANCER_V2_SWAP) return _swapBalancer(s, amount);
        if (kind == ERC4626_DEPOSIT) return _deposit(s, amount);
        if (kind == ERC4626_REDEEM) return _redeem(s, amount);
        if (kind == WRAP) return _wrap(s, amount);
        if (kind == UNWRAP) return _unwrap(s, amount);
        if (kind == BALANCER_V3_SWAP) return _swapBalancerV3(s, amount);
        revert MalformedPlan();
    }

    // ----------------------------------------------------------------------------------------- V2, Solidly and Aerodrome

    /// @dev Extra: fee in millionths (3), then with a given output that output (16), with an exact output the most input (16).
    /// What arrived is measured at the pool, so that tokens may take a fee.
    function _swapV2(Frame memory f, Step memory s, uint256 last) private returns (uint256 amountOut) {
        address pool = s.target;
        (address tokenIn, address tokenOut) = (_token(s.assetIn), _token(s.assetOut));
        bool zeroForOne = tokenIn < tokenOut;
        uint256 fee = _field(s, 0, 3);
        if (fee >= 1_000_000 && fee != ASK_POOL) revert MalformedPlan();
        bool arrived = s.options & 15 == ARRIVED;
        uint256 amount = arrived ? 0 : _amountOf(f, s, last);
        if (s.options & GIVEN != 0) {
            amountOut = _field(s, 3, 16);
            if (!arrived) _pay(s.assetIn, pool, amount);
        } else if (s.options & EXACT_OUT != 0) {
            amountOut = amount;
            amount = _inputOf(pool, zeroForOne, amountOut, fee);
            uint256 cap = _field(s, 3, 16);
            if (amount > cap) revert PaymentAboveCap(amount, cap);
            _pay(s.assetIn, pool, amount);
        } else {
            if (!arrived) _pay(s.assetIn, pool, amount);
            (uint256 reserveIn, uint256 reserveOut) = _reserves(pool, zeroForOne);
            unchecked {
                amount = _balanceOf(tokenIn, pool) - reserveIn;
                if (fee == ASK_POOL) {
                    amountOut = _read(pool, _encode(2, 0xf140a35a, amount, _uint(tokenIn), 0, 0));
                } else {
                    // getAmountOut of UniswapV2Library with the pair's own fee
                    amount *= 1_000_000 - fee;
                    amountOut = (amount * reserveOut) / (reserveIn * 1_000_000 + amount);
                }
            }
        }
        _call(pool, 0, _pairSwap(zeroForOne, amountOut, s.to, ""));
    }

    /// @dev Calldata of a pair's swap: with data it calls back before it wants its input.
    function _pairSwap(
        bool zeroForOne,
        uint256 amountOut,
        address to,
        bytes memory data
    ) internal pure returns (bytes memory) {
        (uint256 out0, uint256 out1) = zeroForOne ? (uint256(0), amountOut) : (amountOut, uint256(0));
        return _append(_encode(4, 0x022c0d9f, out0, out1, _uint(to), 0x80), data);
    }

    /// @dev getAmountIn of UniswapV2Library with the pair's own fee. An output beyond the reserve is refused by the pair itself.
    function _inputOf(address pool, bool zeroForOne, uint256 amountOut, uint256 fee) internal view returns (uint256) {
        (uint256 reserveIn, uint256 reserveOut) = _reserves(pool, zeroForOne);
        unchecked {
            return (reserveIn * amountOut * 1_000_000) / ((reserveOut - amountOut) * (1_000_000 - fee)) + 1;
        }
    }

    function _reserves(address pool, bool zeroForOne) private view returns (uint256 reserveIn, uint256 reserveOut) {
        reserveIn = _read(pool, _encode(0, 0x0902f1ac, 0, 0, 0, 0));
        assembly ("memory-safe") {
            if gt(returndatasize(), 63) {
                returndatacopy(0, 32, 32)
                reserveOut := mload(0)
            }
        }
        if (!zeroForOne) (reserveIn, reserveOut) = (reserveOut, reserveIn);
    }

    // ---------------------------------------------------------------------------------------------------------------- V3

    /// @dev Extra: with an exact output the most input (16). The pool is paid in its callback: `callback` 1 pays only, with
    /// nothing taken from what the pool says but the amount, which is capped; others carry the plan.
    function _swapV3(
        Step memory s,
        uint256 amount,
        bytes memory data,
        uint256 callback,
        uint256 place
    ) internal returns (uint256) {
        address tokenIn = _token(s.assetIn);
        bool zeroForOne = tokenIn < _token(s.assetOut);
        int256 specified = int256(amount);
        _payToken = tokenIn;
        _payCap = amount;
        if (s.options & EXACT_OUT != 0) {
            specified = -specified;
            _payCap = _field(s, 0, 16);
        }
        _expect(s.target, callback, place);
        bytes memory swap = _encode(
            4,
            0x128acb08,
            _uint(s.to),
            zeroForOne ? 1 : 0,
            uint256(specified),
            _priceLimit(zeroForOne)
        );
        _call(s.target, 0, _append(_append(swap, 0xa0), data));
        _steps = STEPS_RUN;
        unchecked {
            return 0 - _answer(zeroForOne ? 1 : 0);
        }
    }

    /// @dev No limit: MIN_SQRT_RATIO + 1 or MAX_SQRT_RATIO - 1 (TickMath of v3-core and v4-core).
    function _priceLimit(bool zeroForOne) internal pure returns (uint256) {
        return zeroForOne ? 4295128740 : 1461446703485210103287273052203988822378723970341;
    }

    // ------------------------------------------------------------------------------------------------------------- Curve

    /// @dev Extra: index of the coin in (1), of the coin out (1), form (1). The forms:
    /// 0 exchange(int128,int128,uint256,uint256), 1 exchange(uint256,uint256,uint256,uint256),
    /// 2 exchange_underlying(int128,int128,uint256,uint256), 3 exchange_underlying(uint256,uint256,uint256,uint256),
    /// 4 exchange(uint256,uint256,uint256,uint256,bool) with native coins.
    function _swapCurve(Step memory s, uint256 amount) private returns (uint256) {
        uint256 form = _field(s, 2, 1);
        if (form > 4) revert MalformedPlan();
        uint256 selector = (0x00_394747c5_65b2489b_a6417ed6_5b41b908_3df02124 >> (32 * form)) & 0xffffffff;
        bytes memory data = _encode(4, selector, _field(s, 0, 1), _field(s, 1, 1), amount, 0);
        if (form == 4) data = _append(data, 1);
        return _exchange(s, amount, data);
    }

    /// @dev Calls a pool that takes its input itself: native with the call, a token by an allowance of exactly the amount.
    function _exchange(Step memory s, uint256 amount, bytes memory data) private returns (uint256 answer) {
        bool native = s.assetIn == NATIVE;
        if (!native) _allow(s.assetIn, s.target, amount);
        _call(s.target, native ? amount : 0, data);
        answer = _answer(0);
        if (!native) _disallow(s.assetIn, s.target);
    }

    // -------------------------------------------------------------------------------------------------------- Balancer V2

    /// @dev Extra: pool id (32), with an exact output the most input (16). `target` is the vault; the zero address is ETH.
    function _swapBalancer(Step memory s, uint256 amount) private returns (uint256) {
        bool exactOut = s.options & EXACT_OUT != 0;
        uint256 most = exactOut ? _field(s, 32, 16) : amount;
        // swap((bytes32,uint8,address,address,uint256,bytes),(address,bool,address,bool),uint256,uint256)
        bytes memory data = _encode(4, 0x52bbbe29, 0xe0, _self(), 0, _self());
        // no internal balance, the limit, no deadline, then the first tuple
        data = _append(_append(_append(data, 0), exactOut ? most : 0), type(uint256).max);
        data = _append(_append(data, _field(s, 0, 32)), exactOut ? 1 : 0);
        data = _append(_append(_append(data, uint160(s.assetIn)), uint160(s.assetOut)), amount);
        // userData: none
        data = _append(_append(data, 0xc0), 0);
        uint256 answer = _exchange(s, most, data);
        return exactOut ? amount : answer;
    }

    // -------------------------------------------------------------------------------------------------------- Balancer V3
    // `target` is the vault, inside its unlock: what it gives is a debt that ends it if it is not paid.

    /// @dev Extra: pool (20), with an exact output the most input (16).
    function _swapBalancerV3(Step memory s, uint256 amount) private returns (uint256 amountOut) {
        bool exactOut = s.options & EXACT_OUT != 0;
        uint256 most = exactOut ? _field(s, 20, 16) : amount;
        // swap((uint8,address,address,address,uint256,uint256,bytes)); no user data
        bytes memory data = _encode(4, 0x2bfb780c, 0x20, exactOut ? 1 : 0, _field(s, 0, 20), _uint(_token(s.assetIn)));
        data = _append(_append(data, _uint(_token(s.assetOut))), amount);
        data = _append(_append(_append(data, exactOut ? most : 0), 0xe0), uint256(0));
        _call(s.target, 0, data);
        // amountCalculated, amountIn, amountOut
        uint256 paid = _answer(1);
        amountOut = _answer(2);
        if (paid > most) revert PaymentAboveCap(paid, most);
        _settleWith(s.target, s.assetIn, paid);
        _sendTo(s.target, s.assetOut, s.to, amountOut);
    }

    /// @dev Pays the vault: transfer, then settle(address,uint256).
    function _settleWith(address vault, uint256 entry, uint256 amount) internal {
        _pay(entry, vault, amount);
        _call(vault, 0, _encode(2, 0x15afd409, _uint(_token(entry)), amount, 0, 0));
    }

    /// @dev sendTo(address,address,uint256)
    function _sendTo(address vault, uint256 entry, address to, uint256 amount) internal {
        _call(vault, 0, _encode(3, 0xae639329, _uint(_token(entry)), _uint(to), amount, 0));
    }

    // ----------------------------------------------------------------------------------------------------------- ERC-4626

    function _deposit(Step memory s, uint256 amount) private returns (uint256) {
        return _exchange(s, amount, _encode(2, 0x6e553f65, amount, _self(), 0, 0));
    }

    /// @dev What is burned must be the entry of the table. A vault whose shares are another contract's (ERC-7575) burns those:
    /// then that contract is the entry.
    function _redeem(Step memory s, uint256 amount) private returns (uint256) {
        address vault = s.target;
        address share = _token(s.assetIn);
        if (share != vault || _otherShare(vault)) revert MalformedPlan();
        _call(vault, 0, _encode(3, 0xba087652, amount, _self(), _self(), 0));
        return _answer(0);
    }

    /// @dev Whether a vault says that its shares are another contract (ERC-7575).
    function _otherShare(address vault) private view returns (bool other) {
        assembly ("memory-safe") {
            mstore(0, 0xa8d5fd65) // share()
            let good := staticcall(gas(), vault, 0x1c, 4, 0, 32)
            other := and(and(good, gt(returndatasize(), 31)), iszero(eq(mload(0), vault)))
        }
    }

    // --------------------------------------------------------------------------------------------------------------- WETH
    // Only the chain's own: other contracts may mean anything by `withdraw`.

    function _wrap(Step memory s, uint256 amount) private returns (uint256) {
        if (s.assetIn != NATIVE || s.assetOut != (ERC20 << 160) | WRAPPED_NATIVE) revert MalformedPlan();
        _call(address(uint160(WRAPPED_NATIVE)), amount, _encode(0, 0xd0e30db0, 0, 0, 0, 0));
        return amount;
    }

    function _unwrap(Step memory s, uint256 amount) private returns (uint256) {
        if (s.assetOut != NATIVE || s.assetIn != (ERC20 << 160) | WRAPPED_NATIVE) revert MalformedPlan();
        _call(address(uint160(WRAPPED_NATIVE)), 0, _encode(1, 0x2e1a7d4d, amount, 0, 0, 0));
        return amount;
    }
}
