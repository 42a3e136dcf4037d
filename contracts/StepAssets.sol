// SPDX-License-Identifier: MIT
pragma solidity ^0.8.37;

import {PlanRunner} from "./PlanRunner.sol";

/// @title StepAssets
/// @notice The spending rule of plans of steps: which assets they may pay, and what each of them must be at the end.
/// @dev What the executor may lose (by transfer, approval, call value, wrap, redeem or burn) is named by its index in the
/// plan's asset table, never by an address of its own. Every entry is measured before the first external call and after the last
/// one, so nothing in between needs to be trusted. Values that come from others (balances, reserves, answers) are used
/// unchecked where they only decide how well a trade goes.
abstract contract StepAssets is PlanRunner {
    /// @notice An asset of the table fell, by a plan whose profit is counted in another one.
    error AssetLost(uint256 index, uint256 before, uint256 afterwards);

    /// @dev A plan where it lies in calldata: of the transaction, or of a callback that carries it.
    struct Frame {
        /// first byte of the plan
        uint256 base;
        /// first byte of the asset table
        uint256 table;
        uint256 assets;
        /// first byte of the steps, and the byte after the last one
        uint256 steps;
        uint256 end;
        /// Uniswap V4's PoolManager, or zero
        address manager;
        /// the byte that says which guards there are, or zero
        uint256 guards;
        /// gas left when the plan started; zero in a callback
        uint256 gasAtStart;
    }

    struct Step {
        uint256 kind;
        uint256 options;
        /// entries of the asset table: kind << 160 | address
        uint256 assetIn;
        uint256 assetOut;
        uint256 indexIn;
        address target;
        uint256 amount;
        /// first byte of what this kind of step has of its own, and its size
        uint256 extra;
        uint256 extraSize;
        /// who gets the output: this contract, or the pool of the next step
        address to;
    }

    uint256 internal constant NATIVE = 0;
    uint256 internal constant ERC20 = 1;
    uint256 internal constant CLAIM = 2;

    uint256 internal constant EXACT_OUT = 0x20;

    /// @dev Who may call while steps run, see StepRunner; zero otherwise.
    uint256 internal transient _steps;
    /// @dev Steps run, and nobody may call.
    uint256 internal constant STEPS_RUN = 0x80;
    /// @dev Transient slots of the balances before: far from those that the compiler gives out.
    uint256 private constant SNAPSHOTS = 0x736e617073686f74000000;

    // -------------------------------------------------------------------------------------------------------- the table

    /// @dev An entry of the asset table: kind << 160 | address.
    function _asset(Frame memory f, uint256 index) internal pure returns (uint256 entry) {
        if (index >= f.assets) revert MalformedPlan();
        uint256 place = f.table;
        assembly ("memory-safe") {
            entry := shr(88, calldataload(add(place, mul(21, index))))
        }
    }

    /// @dev The token of an entry that must be an ERC-20.
    function _token(uint256 entry) internal pure returns (address) {
        if (entry >> 160 != ERC20) revert MalformedPlan();
        return address(uint160(entry));
    }

    function _balance(Frame memory f, uint256 entry) internal view returns (uint256) {
        uint256 kind = entry >> 160;
        if (kind == NATIVE && entry == 0) return address(this).balance;
        if (kind == ERC20) return _balanceOf(address(uint160(entry)), address(this));
        if (kind != CLAIM || f.manager == address(0)) revert MalformedPlan();
        // ERC-6909; the id of a claim is its currency's address
        return _read(f.manager, _encode(2, 0x00fdd58e, _self(), uint160(entry), 0, 0));
    }

    function _snapshot(Frame memory f) internal {
        for (uint256 i = 0; i < f.assets; ++i) {
            uint256 value = _balance(f, _asset(f, i));
            assembly ("memory-safe") {
                tstore(add(SNAPSHOTS, i), value)
            }
        }
    }

    function _before(uint256 index) internal view returns (uint256 value) {
        assembly ("memory-safe") {
            value := tload(add(SNAPSHOTS, index))
        }
    }

    /// @dev The rule for all entries but the profit asset: none is less than before.
    function _checkOthers(Frame memory f, uint256 profitIndex) internal view {
        for (uint256 i = 0; i < f.assets; ++i) {
            if (i == profitIndex) continue;
            uint256 before = _before(i);
            uint256 afterwards = _balance(f, _asset(f, i));
            if (afterwards < before) revert AssetLost(i, before, afterwards);
        }
    }

    // ----------------------------------------------------------------------------------------------------------- amounts

    /// @dev What a step swaps or pays: a fixed amount (0), the output of the step before (1), all of its asset above what there
    /// was before the plan (2), a share of that in hundredths of a percent (3).
    /// Below 2^128, so that it is never negative as an int256.
    function _amountOf(Frame memory f, Step memory s, uint256 last) internal view returns (uint256 amount) {
        uint256 mode = s.options & 15;
        amount = s.amount;
        if (mode == 1) {
            amount = last;
        } else if (mode != 0) {
            uint256 share = mode == 2 ? 10_000 : amount;
            uint256 before = _before(s.indexIn);
            amount = _balance(f, s.assetIn);
            unchecked {
                amount = amount > before ? amount - before : 0;
                if (amount >> 128 == 0) amount = (amount * share) / 10_000;
            }
            if (mode > 3 || share > 10_000) revert MalformedPlan();
        }
        if (amount >> 128 != 0) revert PaymentAboveCap(amount, type(uint128).max);
    }

    /// @dev `size` bytes of a step's own part, from `offset` on.
    function _field(Step memory s, uint256 offset, uint256 size) internal pure returns (uint256 value) {
        unchecked {
            if (offset + size > s.extraSize) revert MalformedPlan();
            uint256 place = s.extra + offset;
            assembly ("memory-safe") {
                value := shr(sub(256, shl(3, size)), calldataload(place))
            }
        }
    }

    // ------------------------------------------------------------------------------------------------------------ tokens

    function _pay(uint256 entry, address to, uint256 amount) internal {
        _move(0xa9059cbb, _token(entry), to, amount);
    }

    /// @dev Allows exactly this amount, and takes back what `spender` left of it once `_disallow` is called.
    function _allow(uint256 entry, address spender, uint256 amount) internal {
        _move(0x095ea7b3, _token(entry), spender, amount);
    }

    /// @dev No allowance outlives the step that gave it, whether or not it was used.
    function _disallow(uint256 entry, address spender) internal {
        bytes memory question = _encode(2, 0xdd62ed3e, _self(), _uint(spender), 0, 0);
        address token = _token(entry);
        if (_read(token, question) == 0) return;
        _move(0x095ea7b3, token, spender, 0);
        if (_read(token, question) != 0) revert AllowanceLeft();
    }

    /// @dev transfer or approve. Success is true, or no answer at all (USDT and others return nothing): `token` has code, as it
    /// told a balance before.
    function _move(uint256 selector, address token, address to, uint256 amount) private {
        _call(token, 0, _encode(2, selector, _uint(to), amount, 0, 0));
        bool good;
        assembly ("memory-safe") {
            let size := returndatasize()
            good := iszero(size)
            if gt(size, 31) {
                returndatacopy(0, 0, 32)
                good := eq(mload(0), 1)
            }
        }
        if (!good) revert TokenCallFailed();
    }

    function _balanceOf(address token, address account) internal view returns (uint256) {
        return _read(token, _encode(1, 0x70a08231, _uint(account), 0, 0, 0));
    }

    // ------------------------------------------------------------------------------------------------------------- calls

    function _word(uint256 place) internal pure returns (uint256 word) {
        assembly ("memory-safe") {
            word := calldataload(place)
        }
    }

    /// @dev Calldata of a selector and up to four words. One function for all: the contract's size is limited (EIP-170).
    function _encode(
        uint256 words,
        uint256 selector,
        uint256 a,
        uint256 b,
        uint256 c,
        uint256 d
    ) internal pure returns (bytes memory data) {
        assembly ("memory-safe") {
            data := mload(0x40)
            mstore(data, add(4, shl(5, words)))
            mstore(add(data, 32), shl(224, selector))
            mstore(add(data, 36), a)
            mstore(add(data, 68), b)
            mstore(add(data, 100), c)
            mstore(add(data, 132), d)
            mstore(0x40, add(data, 192))
        }
    }

    /// @dev Appends a word in place: `data` must be what was allocated last.
    function _append(bytes memory data, uint256 word) internal pure returns (bytes memory) {
        assembly ("memory-safe") {
            let size := add(mload(data), 32)
            let end := add(data, size)
            mstore(end, word)
            mstore(data, size)
            mstore(0x40, add(end, 64))
        }
        return data;
    }

    /// @dev Appends bytes as the ABI writes them, in place: `data` must be what was allocated last.
    function _append(bytes memory data, bytes memory tail) internal pure returns (bytes memory) {
        assembly ("memory-safe") {
            let length := mload(tail)
            let size := mload(data)
            let end := add(add(data, 32), size)
            let padded := and(add(length, 31), not(31))
            // what lies there may be dirty
            mstore(add(end, padded), 0)
            mcopy(end, tail, add(length, 32))
            mstore(data, add(size, add(padded, 32)))
            mstore(0x40, add(end, add(padded, 64)))
        }
        return data;
    }

    function _uint(address account) internal pure returns (uint256) {
        return uint160(account);
    }

    function _self() internal view returns (uint256) {
        return uint160(address(this));
    }

    /// @dev One word of a view function; an address without code answers with less.
    function _read(address target, bytes memory data) internal view returns (uint256 word) {
        bool good;
        assembly ("memory-safe") {
            good := staticcall(gas(), target, add(data, 32), mload(data), 0, 32)
            good := and(good, gt(returndatasize(), 31))
            word := mload(0)
        }
        if (!good) revert TokenCallFailed();
    }

    /// @dev Answers stay where they are, so that none costs memory; of a failure's data at most 1024 bytes are passed on.
    function _call(address target, uint256 value, bytes memory data) internal {
        assembly ("memory-safe") {
            if iszero(call(gas(), target, value, add(data, 32), mload(data), 0, 0)) {
                let size := returndatasize()
                if gt(size, 1024) {
                    size := 1024
                }
                let free := mload(0x40)
                returndatacopy(free, 0, size)
                revert(free, size)
            }
        }
    }

    /// @dev Word `index` of the last call's answer; zero if it is shorter.
    function _answer(uint256 index) internal pure returns (uint256 word) {
        assembly ("memory-safe") {
            if iszero(lt(returndatasize(), add(shl(5, index), 32))) {
                returndatacopy(0, shl(5, index), 32)
                word := mload(0)
            }
        }
    }
}
